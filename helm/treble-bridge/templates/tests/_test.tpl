{{/* What the Pods of `helm test` have in common. Call with (list $ "name"). One container each: so `--logs` shows it. */}}
{{- define "treble-bridge.testPod" -}}
{{- $root := index . 0 -}}
{{- $hook := dict "helm.sh/hook" "test" "helm.sh/hook-delete-policy" "before-hook-creation" -}}
{{- $about := dict "suffix" (printf "-test-%s" (index . 1)) "annotations" $hook -}}
apiVersion: v1
kind: Pod
metadata:
  {{- include "treble-bridge.metadata" (merge (dict "root" $root "component" "test") $about) | nindent 2 }}
spec:
  {{- include "treble-bridge.podSettings" $root | nindent 2 }}
  restartPolicy: Never
{{- end }}

{{/*
Tries for half a minute what follows: a NetworkPolicy takes a moment to know a new pod. Shown is what the last try says.
*/}}
{{- define "treble-bridge.retried" -}}
- sh
- -c
- for pause in 1 2 4 8 15; do said=$("$0" "$@" 2>&1) && echo "$said" && exit; sleep "$pause"; done; exec "$0" "$@"
{{- end }}

{{/* host:port of the public Service. */}}
{{- define "treble-bridge.serviceAddress" -}}
{{ include "treble-bridge.fullname" . }}.{{ .Release.Namespace }}.svc:{{ include "treble-bridge.servicePort" . }}
{{- end }}

{{/* The path of a source that must refuse a webhook without credentials: one that doesn't go by addresses alone. */}}
{{- define "treble-bridge.guardedPath" -}}
{{- $found := "" }}
{{- range $name, $source := .Values.config.sources }}
{{- if and (not $found) (kindIs "slice" $source.auth) }}
{{- $open := false }}
{{- range $source.auth }}
{{- $open = or $open (not (omit . "client_ip")) }}
{{- end }}
{{- if not $open }}
{{- $found = default (printf "/webhooks/%s" $name) $source.path }}
{{- end }}
{{- end }}
{{- end }}
{{- $found }}
{{- end }}
