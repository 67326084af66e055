{{- define "treble-bridge.secretFiles" -}}/run/secrets/treble-bridge{{- end }}
{{- define "treble-bridge.tlsFiles" -}}/run/secrets/treble-bridge-tls{{- end }}

{{- define "treble-bridge.tlsSecret" -}}
{{- default (printf "%s-tls" (include "treble-bridge.fullname" .)) .Values.tls.secretName }}
{{- end }}

{{/* The configuration as the bridge gets it: that of the values, and where its certificate is. */}}
{{- define "treble-bridge.config" -}}
{{- $config := deepCopy .Values.config }}
{{- if .Values.tls.enabled }}
{{- $folder := include "treble-bridge.tlsFiles" . }}
{{- $tls := dict "certificate" (printf "%s/tls.crt" $folder) "key" (printf "%s/tls.key" $folder) }}
{{- if .Values.tls.clientCA.secretName }}
{{- $_ := set $tls "client_ca" (printf "%s/client-ca.crt" $folder) }}
{{- end }}
{{- $_ := set $config "server" (mergeOverwrite (default dict $config.server) (dict "tls" $tls)) }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{/*
What of the configuration counts only after a restart: a change of it must replace the pods, and everything else must not.
*/}}
{{- define "treble-bridge.restartPart" -}}
{{- $config := include "treble-bridge.config" . | fromYaml }}
{{- range (.Files.Get "files/from-code.yaml" | fromYaml).reloadable }}
{{- $place := $config }}
{{- range initial . }}
{{- $place = (kindIs "map" $place) | ternary (get (default dict $place) .) "" }}
{{- end }}
{{- if kindIs "map" $place }}
{{- $_ := unset $place (last .) }}
{{- end }}
{{- end }}
{{- range $name, $section := $config }}
{{- if empty $section }}
{{- $_ := unset $config $name }}
{{- end }}
{{- end }}
{{- toJson $config }}
{{- end }}

{{/* The paths of the sources, as JSON: what Treble calls, and nothing else. */}}
{{- define "treble-bridge.paths" -}}
{{- $paths := list }}
{{- range $name, $source := .Values.config.sources }}
{{- $paths = append $paths (default (printf "/webhooks/%s" $name) $source.path) }}
{{- end }}
{{- toJson $paths }}
{{- end }}

{{/* The ports of the brokers, as JSON. */}}
{{- define "treble-bridge.kafkaPorts" -}}
{{- $servers := .Values.config.kafka.bootstrap_servers }}
{{- if not (kindIs "slice" $servers) }}
{{- $servers = splitList "," $servers }}
{{- end }}
{{- $ports := list }}
{{- range $servers }}
{{- with regexFind ":[0-9]+$" (trim .) }}
{{- $ports = append $ports (trimPrefix ":" . | int) }}
{{- end }}
{{- end }}
{{- range .Values.networkPolicy.kafka.ports }}
{{- $ports = append $ports (int .) }}
{{- end }}
{{- toJson (uniq $ports) }}
{{- end }}

{{/* What the bridge itself speaks: TLS by `tls` here, or by the configuration's own files. */}}
{{- define "treble-bridge.scheme" -}}
{{- or .Values.tls.enabled (not (empty (default dict .Values.config.server).tls)) | ternary "https" "http" }}
{{- end }}

{{/* Whether callers must show a certificate, by `tls` here, or by the configuration's own. */}}
{{- define "treble-bridge.clientCA" -}}
{{- if or (and .Values.tls.enabled .Values.tls.clientCA.secretName) (default dict (default dict .Values.config.server).tls).client_ca }}
{{- true }}
{{- end }}
{{- end }}

{{- define "treble-bridge.servicePort" -}}
{{- default (eq (include "treble-bridge.scheme" .) "https" | ternary 443 80) .Values.service.port }}
{{- end }}
