{{/* What contradicts itself in the values. Each message says what to do. */}}
{{- define "treble-bridge.checks" -}}
{{- $values := .Values }}
{{- if not $values.config.kafka }}
{{- fail "\n\nconfig.kafka.bootstrap_servers: required, such as [kafka:9092].\n" }}
{{- end }}
{{- if not $values.config.sources }}
{{- fail "\n\nconfig.sources: required, one Treble account at least, such as {treble: {auth: [{bearer: \"${TREBLE_TOKEN}\"}]}}.\n" }}
{{- end }}
{{- if and $values.ingress.enabled $values.httpRoute.enabled }}
{{- fail "\n\ningress.enabled and httpRoute.enabled: one of them publishes the webhooks, not both.\n" }}
{{- end }}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) }}
{{- fail "\n\nhttpRoute.parentRefs: expected the Gateway, such as [{name: public, namespace: gateways}].\n" }}
{{- end }}
{{- if and $values.serviceMonitor.enabled $values.podMonitor.enabled }}
{{- fail "\n\nserviceMonitor.enabled and podMonitor.enabled: with both, everything is scraped twice.\n" }}
{{- end }}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) }}
{{- fail "\n\nautoscaling.minReplicas: expected maxReplicas at the most.\n" }}
{{- end }}
{{- include "treble-bridge.checkTls" . }}
{{- include "treble-bridge.checkVolume" . }}
{{- include "treble-bridge.checkReferences" . }}
{{- include "treble-bridge.checkNetwork" . }}
{{- if eq (include "treble-bridge.httpPort" .) (include "treble-bridge.adminPort" .) }}
{{- fail "\n\nconfig.admin.listen: expected another port than config.server.listen.\n" }}
{{- end }}
{{- end }}

{{- define "treble-bridge.checkTls" -}}
{{- $tls := .Values.tls }}
{{- if $tls.enabled }}
{{- if (default dict .Values.config.server).tls }}
{{- fail "\n\ntls.enabled sets config.server.tls: expected one of them.\n" }}
{{- end }}
{{- if and (not $tls.secretName) (not $tls.certManager.enabled) }}
{{- fail "\n\ntls.enabled: expected tls.secretName, or tls.certManager.enabled.\n" }}
{{- end }}
{{- if and $tls.certManager.enabled (not $tls.certManager.issuerRef) }}
{{- fail "\n\ntls.certManager.issuerRef: expected the issuer, such as {name: letsencrypt, kind: ClusterIssuer}.\n" }}
{{- end }}
{{- else if $tls.certManager.enabled }}
{{- fail "\n\ntls.certManager.enabled has no effect without tls.enabled.\n" }}
{{- end }}
{{- end }}

{{/* A file system that is full before the journal is would end the bridge, where a full journal only answers 503. */}}
{{- define "treble-bridge.checkVolume" -}}
{{- if .Values.persistence.enabled }}
{{- $size := .Values.persistence.size | toString }}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $size }}
{{- $units := dict "" 1 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- $units = merge $units (dict "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000) }}
{{- $unit := trimPrefix $number $size }}
{{- if hasKey $units $unit }}
{{- $room := mulf (float64 $number) (get $units $unit) | int64 }}
{{- $needed := add (include "treble-bridge.bytes" (dict "root" . "path" "journal.max_bytes") | int64) 67108864 }}
{{- if lt $room $needed }}
{{- fail (printf "\n\npersistence.size: %s is too small for config.journal.max_bytes: expected %d bytes at least.\n" $size $needed) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A `${…}` that nothing provides would only be seen when the pod doesn't start. */}}
{{- define "treble-bridge.checkReferences" -}}
{{- $known := keys .Values.secrets.env }}
{{- range .Values.env }}
{{- $known = append $known .name }}
{{- end }}
{{- $folder := printf "file:%s/" (include "treble-bridge.secretFiles" .) }}
{{- range regexFindAll "\\$\\{[^}]*\\}" (.Values.config | toJson | replace "$$" "") -1 }}
{{- $name := trimPrefix "${" . | trimSuffix "}" }}
{{- if hasPrefix $folder $name }}
{{- if not (hasKey $.Values.secrets.files (trimPrefix $folder $name)) }}
{{- fail (printf "\n\nconfig: %s names a file that secrets.files doesn't provide: expected secrets.files.%s.\n" . (trimPrefix $folder $name)) }}
{{- end }}
{{- else if not (or (hasPrefix "file:" $name) (contains ":-" $name) (has $name $known) $.Values.envFrom) }}
{{- fail (printf "\n\nconfig: %s names a variable that nothing provides: expected secrets.env.%s, or it in env or envFrom.\n" . $name) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "treble-bridge.checkNetwork" -}}
{{- $policy := .Values.networkPolicy }}
{{- if $policy.enabled }}
{{- if not (or $policy.http.namespaces $policy.http.podLabels $policy.http.from) }}
{{- fail "\n\nnetworkPolicy.http: expected who calls, such as {namespaces: [ingress-nginx]}.\n" }}
{{- end }}
{{- if not (include "treble-bridge.kafkaPorts" . | fromJsonArray) }}
{{- fail "\n\nnetworkPolicy.kafka.ports: expected the brokers' ports, since config.kafka.bootstrap_servers doesn't say them.\n" }}
{{- end }}
{{- end }}
{{- end }}
