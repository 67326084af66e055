{{/*
Names of claims whose replica is no more, as JSON: those that the values name, else those found on the cluster. Rendered
without a cluster, nothing is found.
*/}}
{{- define "treble-bridge.orphans" -}}
{{- $own := include "treble-bridge.ownClaims" . | fromJsonArray }}
{{- $orphans := list }}
{{- range .Values.drain.claims }}
{{- if has . $own }}
{{- fail (printf "\n\ndrain.claims: %s belongs to a replica that runs.\n" .) }}
{{- end }}
{{- $orphans = append $orphans . }}
{{- end }}
{{- if and (not $orphans) .Values.drain.discover }}
{{- range (lookup "v1" "PersistentVolumeClaim" .Release.Namespace "").items }}
{{- $name := .metadata.name }}
{{- if and (hasPrefix "journal-" $name) (not (has $name $own)) (not .metadata.deletionTimestamp) }}
{{- if include "treble-bridge.isOurs" (list $ (default dict .metadata.labels)) }}
{{- $orphans = append $orphans $name }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $orphans }}
{{- end }}

{{/* The claims of the replicas that there are after this, as JSON. */}}
{{- define "treble-bridge.ownClaims" -}}
{{- $claims := list }}
{{- range until (include "treble-bridge.replicas" . | int) }}
{{- $claims = append $claims (printf "journal-%s-%d" (include "treble-bridge.fullname" $) .) }}
{{- end }}
{{- toJson $claims }}
{{- end }}

{{/*
Whether a claim was made by this release, whatever its StatefulSet was called: by its labels, which a change of
fullnameOverride leaves. As a part of another chart there may be several bridges in one release, each of another name.
Call with (list $ labels).
*/}}
{{- define "treble-bridge.isOurs" -}}
{{- $root := index . 0 }}
{{- $labels := index . 1 }}
{{- $release := eq (get $labels "app.kubernetes.io/instance") $root.Release.Name }}
{{- if and $release (or $root.Chart.IsRoot (eq (get $labels "app.kubernetes.io/name") (include "treble-bridge.name" $root))) }}
{{- true }}
{{- end }}
{{- end }}

{{/*
How many replicas there are after this. Where an autoscaler says it, as many as there are now: the chart's within its bounds,
and one that the chart doesn't know (no replicaCount) without any. No number at all would be one replica for Kubernetes.
*/}}
{{- define "treble-bridge.replicas" -}}
{{- $scaling := .Values.autoscaling }}
{{- if or $scaling.enabled (kindIs "invalid" .Values.replicaCount) }}
{{- $now := default dict (lookup "apps/v1" "StatefulSet" .Release.Namespace (include "treble-bridge.fullname" .)) }}
{{- if $scaling.enabled }}
{{- max (dig "spec" "replicas" 0 $now) $scaling.minReplicas | min $scaling.maxReplicas }}
{{- else }}
{{- dig "spec" "replicas" 2 $now | int64 }}
{{- end }}
{{- else }}
{{- .Values.replicaCount }}
{{- end }}
{{- end }}

{{/* How long a Job waits for an owner to end, as text. */}}
{{- define "treble-bridge.drainWait" -}}
{{- default (printf "%ss" (include "treble-bridge.gracePeriod" .)) .Values.drain.wait }}
{{- end }}

{{/* Seconds after which a Job ends that could not even begin: its own deadlines, and 5 minutes to mount the claim. */}}
{{- define "treble-bridge.drainSeconds" -}}
{{- $wait := include "treble-bridge.durationMs" (include "treble-bridge.drainWait" .) | float64 }}
{{- $try := include "treble-bridge.durationMs" .Values.drain.deadline | float64 }}
{{- add 300 (divf (addf $wait $try) 1000 | ceil) }}
{{- end }}

{{/* A name that fits a label, for every full name. Call with (list $ claim). */}}
{{- define "treble-bridge.drainName" -}}
{{- $fullname := include "treble-bridge.fullname" (index . 0) }}
{{- $claim := index . 1 }}
{{- $ordinal := trimPrefix (printf "journal-%s-" $fullname) $claim }}
{{- $suffix := regexMatch "^[0-9]+$" $ordinal | ternary $ordinal ($claim | sha256sum | trunc 6) }}
{{- printf "%s-drain-%s" ($fullname | trunc (int (sub 56 (len $suffix))) | trimSuffix "-") $suffix }}
{{- end }}

{{/* Of `affinity`, what is about nodes: apart from the bridge's pods a Job need not be. */}}
{{- define "treble-bridge.drainAffinity" -}}
{{- with (default dict .Values.affinity).nodeAffinity }}
{{- toYaml (dict "nodeAffinity" .) }}
{{- end }}
{{- end }}
