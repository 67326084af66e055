{{/*
Names of claims whose replica is no more, as JSON: those that the values name, else those found on the cluster. Rendered
without a cluster, nothing is found.
*/}}
{{- define "treble-bridge.orphans" -}}
{{- $prefix := printf "journal-%s-" (include "treble-bridge.fullname" .) }}
{{- $replicas := include "treble-bridge.replicas" . | int }}
{{- $orphans := list }}
{{- range .Values.drain.claims }}
{{- $ordinal := trimPrefix $prefix . }}
{{- if and (regexMatch "^[0-9]+$" $ordinal) (hasPrefix $prefix .) }}
{{- if lt (int $ordinal) $replicas }}
{{- fail (printf "\n\ndrain.claims: %s belongs to a replica that runs.\n" .) }}
{{- end }}
{{- end }}
{{- $orphans = append $orphans . }}
{{- end }}
{{- if not $orphans }}
{{- range (lookup "v1" "PersistentVolumeClaim" .Release.Namespace "").items }}
{{- $ordinal := trimPrefix $prefix .metadata.name }}
{{- if and (hasPrefix $prefix .metadata.name) (regexMatch "^[0-9]+$" $ordinal) (not .metadata.deletionTimestamp) }}
{{- if ge (int $ordinal) $replicas }}
{{- $orphans = append $orphans .metadata.name }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $orphans }}
{{- end }}

{{/* How many replicas there are after this: with autoscaling, as many as there are now. */}}
{{- define "treble-bridge.replicas" -}}
{{- if .Values.autoscaling.enabled }}
{{- $now := lookup "apps/v1" "StatefulSet" .Release.Namespace (include "treble-bridge.fullname" .) }}
{{- max (dig "spec" "replicas" 0 (default dict $now)) .Values.autoscaling.minReplicas }}
{{- else }}
{{- .Values.replicaCount }}
{{- end }}
{{- end }}
