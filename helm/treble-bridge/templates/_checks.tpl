{{/* What contradicts itself in the values. Each message says what to do. */}}
{{- define "treble-bridge.checks" -}}
{{- $values := .Values }}
{{- include "treble-bridge.checkNulls" . }}
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
{{- if and $values.serviceMonitor.enabled (default dict $values.podMonitor).enabled }}
{{- fail "\n\nserviceMonitor.enabled and podMonitor.enabled: with both, everything is scraped twice.\n" }}
{{- end }}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) }}
{{- fail "\n\nautoscaling.minReplicas: expected maxReplicas at the most.\n" }}
{{- end }}
{{- if and $values.image.tag $values.image.digest }}
{{- fail "\n\nimage.tag has no effect beside image.digest: expected image.digest: '' to use the tag, or no tag.\n" }}
{{- end }}
{{- include "treble-bridge.checkName" . }}
{{- include "treble-bridge.checkGrace" . }}
{{- include "treble-bridge.checkTests" . }}
{{- include "treble-bridge.checkClaims" . }}
{{- include "treble-bridge.checkTls" . }}
{{- include "treble-bridge.checkBackendTls" . }}
{{- include "treble-bridge.checkVolume" . }}
{{- include "treble-bridge.checkReferences" . }}
{{- include "treble-bridge.checkNetwork" . }}
{{- if eq (include "treble-bridge.httpPort" .) (include "treble-bridge.adminPort" .) }}
{{- fail "\n\nconfig.admin.listen: expected another port than config.server.listen.\n" }}
{{- end }}
{{- end }}

{{/*
What the templates look into. A section whose keys are all commented out is null, and the first template that looks into it
would end in an error of Go. So this comes first, in the templates that Helm begins with as well. A section stands before
its parts, and the parts of one that is off are nobody's business.
*/}}
{{- define "treble-bridge.checkNulls" -}}
{{- include "treble-bridge.checkNull" (list $ "config" "expected config.kafka and config.sources") }}
{{- range list "ingress" "httpRoute" "tls" "autoscaling" "networkPolicy" "serviceMonitor" "prometheusRule" "tests" }}
{{- include "treble-bridge.checkNull" (list $ . (printf "leave it out, or %s: {enabled: false}" .)) }}
{{- end }}
{{- $needed := list "image" "image.repository" "secrets" "service" "adminService" "adminService.port" "preStop" "probes" }}
{{- $needed = concat $needed (list "serviceAccount" "persistence" "persistence.retentionPolicy" "drain" "tls.certManager") }}
{{- $parts := dict "persistence" (list "size") "drain" (list "deadline") "tls" (list "clientCA" "clientCA.key") }}
{{- $parts = merge $parts (dict "networkPolicy" (list "http" "kafka" "dns" "dns.port") "tests" (list "send")) }}
{{- range $section, $names := $parts }}
{{- range empty (default dict (get $.Values $section)).enabled | ternary list $names }}
{{- $needed = append $needed (printf "%s.%s" $section .) }}
{{- end }}
{{- end }}
{{- range $needed }}
{{- include "treble-bridge.checkNull" (list $ . "leave it out") }}
{{- end }}
{{- end }}

{{/* Call with (list $ "path" "what to do"). */}}
{{- define "treble-bridge.checkNull" -}}
{{- $value := (index . 0).Values }}
{{- range splitList "." (index . 1) }}
{{- /* Helm takes out a key that is null; not everywhere where the values are those of a part of another chart. */}}
{{- $value = hasKey $value . | ternary (get $value .) nil }}
{{- end }}
{{- if kindIs "invalid" $value }}
{{- fail (printf "\n\n%s: null is no value: %s.\n" (index . 1) (index . 2)) }}
{{- end }}
{{- end }}

{{/* A Service's name must begin with a letter, and has no dot. Kubernetes would say so after some objects were made. */}}
{{- define "treble-bridge.checkName" -}}
{{- $name := include "treble-bridge.fullname" . }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) }}
{{- fail (printf "\n\nfullnameOverride: objects would be called %s, which Kubernetes refuses for a Service: expected small letters, digits and hyphens, a letter first.\n" $name) }}
{{- end }}
{{- end }}

{{/* Kubernetes would refuse the StatefulSet, when the ConfigMap has been changed already. */}}
{{- define "treble-bridge.checkGrace" -}}
{{- $grace := .Values.terminationGracePeriodSeconds }}
{{- $sleep := int64 .Values.preStop.sleepSeconds }}
{{- if and (not (kindIs "invalid" $grace)) $sleep (le (int64 $grace) $sleep) }}
{{- fail (printf "\n\nterminationGracePeriodSeconds: %d is over before preStop.sleepSeconds (%d): expected more, or null for the sum of what a stop may take.\n" (int64 $grace) $sleep) }}
{{- end }}
{{- end }}

{{- define "treble-bridge.checkTests" -}}
{{- if and .Values.tests.enabled .Values.tests.send.enabled (include "treble-bridge.clientCA" .) }}
{{- fail "\n\ntests.send.enabled: the bridge asks callers for a certificate (tls.clientCA, or config.server.tls.client_ca), and this test has none: expected false.\n" }}
{{- end }}
{{- end }}

{{- define "treble-bridge.checkClaims" -}}
{{- if and .Values.persistence.enabled .Values.drain.enabled (eq .Values.persistence.retentionPolicy.whenScaled "Delete") }}
{{- fail "\n\npersistence.retentionPolicy.whenScaled: Delete takes claims away while Jobs drain them: expected Retain, or drain.enabled: false, with which what was not forwarded is lost.\n" }}
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
{{- fail "\n\ntls.certManager.issuerRef: expected the issuer, such as {name: internal-ca, kind: ClusterIssuer}. A public one, by ACME, can't certify the Service's names: it needs tls.certManager.dnsNames.\n" }}
{{- end }}
{{- else if $tls.certManager.enabled }}
{{- fail "\n\ntls.certManager.enabled has no effect without tls.enabled.\n" }}
{{- end }}
{{- end }}

{{- define "treble-bridge.checkBackendTls" -}}
{{- $backend := .Values.httpRoute.backendTLS }}
{{- if $backend.enabled }}
{{- if not .Values.httpRoute.enabled }}
{{- fail "\n\nhttpRoute.backendTLS.enabled has no effect without httpRoute.enabled.\n" }}
{{- end }}
{{- if ne (include "treble-bridge.scheme" .) "https" }}
{{- fail "\n\nhttpRoute.backendTLS.enabled: the bridge speaks no TLS: expected tls.enabled.\n" }}
{{- end }}
{{- if eq (empty $backend.caCertificateRefs) (empty $backend.wellKnownCACertificates) }}
{{- fail "\n\nhttpRoute.backendTLS: expected caCertificateRefs, such as [{name: internal-ca}], or wellKnownCACertificates: System, not both.\n" }}
{{- end }}
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
{{- $max := include "treble-bridge.bytes" (dict "root" . "path" "journal.max_bytes") | float64 }}
{{- $needed := add (mulf $max 1.03 | ceil) 134217728 }}
{{- if lt $room $needed }}
{{- fail (printf "\n\npersistence.size: %s is too small for config.journal.max_bytes: expected %d bytes at least, max_bytes * 1.03 + 128 MiB.\n" $size $needed) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A `${…}` that nothing provides would only be seen when the pod doesn't start. */}}
{{- define "treble-bridge.checkReferences" -}}
{{- $known := keys (default dict .Values.secrets.env) }}
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
