{{/* Of the chart, or its alias in another chart: what the selectors go by. */}}
{{- define "treble-bridge.name" -}}
{{- .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 52: a StatefulSet's name and a hash of 10 characters must fit a label. */}}
{{- define "treble-bridge.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "treble-bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "treble-bridge.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Never change these: a StatefulSet's selector and claims can't be changed by an upgrade. */}}
{{- define "treble-bridge.selectorLabels" -}}
{{- toYaml (dict "app.kubernetes.io/name" (include "treble-bridge.name" .) "app.kubernetes.io/instance" .Release.Name) }}
{{- end }}

{{/* By these a selector finds what is of one component. Call with (list $ "component"). */}}
{{- define "treble-bridge.componentLabels" -}}
{{- $labels := include "treble-bridge.selectorLabels" (index . 0) | fromYaml }}
{{- toYaml (set $labels "app.kubernetes.io/component" (index . 1)) }}
{{- end }}

{{- define "treble-bridge.podSelectorLabels" -}}
{{- include "treble-bridge.componentLabels" (list . "bridge") }}
{{- end }}

{{/* Labels of pods that a StatefulSet or a Job makes. Call with (list $ "component"). */}}
{{- define "treble-bridge.podLabels" -}}
{{- $labels := default dict (index . 0).Values.podLabels }}
{{- toYaml (merge (include "treble-bridge.componentLabels" . | fromYaml) $labels) }}
{{- end }}

{{/*
The metadata of an object. Call with (dict "root" $ "component" "…"); besides them it takes "name", "suffix" (of the full
name), "labels" and "annotations". What the chart itself says wins over the values.
*/}}
{{- define "treble-bridge.metadata" -}}
{{- $chart := .root.Chart }}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" $chart.Name $chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" $chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service }}
{{- $selected := include "treble-bridge.componentLabels" (list .root .component) | fromYaml }}
{{- $labels := merge $own $selected (default dict .labels) (default dict .root.Values.commonLabels) }}
{{- $name := default (print (include "treble-bridge.fullname" .root) (default "" .suffix)) .name }}
{{- $metadata := dict "name" $name "namespace" .root.Release.Namespace "labels" $labels }}
{{- with .annotations }}
{{- $_ := set $metadata "annotations" . }}
{{- end }}
{{- toYaml $metadata }}
{{- end }}

{{- define "treble-bridge.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}
