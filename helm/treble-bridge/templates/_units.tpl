{{/*
What the configuration says as text, in numbers. Call with (dict "root" $ "path" "server.drain_delay").
A value with ${…} is known only to the bridge: where the chart needs it, that is an error which says what to do.
*/}}

{{/* The text of an option of `config`, or its default in the program. */}}
{{- define "treble-bridge.option" -}}
{{- $value := .root.Values.config }}
{{- range splitList "." .path }}
{{- if and (kindIs "map" $value) (hasKey (default dict $value) .) }}
{{- $value = get $value . }}
{{- else }}
{{- $value = "" }}
{{- end }}
{{- end }}
{{- if or (kindIs "invalid" $value) (eq (toString $value) "") }}
{{- $value = get (.root.Files.Get "files/from-code.yaml" | fromYaml).defaults .path }}
{{- end }}
{{- /* Helm reads numbers as floats, and would write a large one with an exponent. */}}
{{- $text := kindIs "float64" $value | ternary (int64 $value | toString) (toString $value) | trim }}
{{- if contains "${" $text }}
{{- fail (printf "\n\nconfig.%s: %s is known to the bridge only, and the chart needs the value: write it out.\n" .path $text) }}
{{- end }}
{{- $text }}
{{- end }}

{{/* A duration → milliseconds. */}}
{{- define "treble-bridge.milliseconds" -}}
{{- include "treble-bridge.durationMs" (include "treble-bridge.option" .) }}
{{- end }}

{{/* The text of a duration → milliseconds. */}}
{{- define "treble-bridge.durationMs" -}}
{{- $text := . }}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $text }}
{{- $unit := trim (trimPrefix $number $text) }}
{{- mulf (float64 $number) (get (dict "" 1 "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000) $unit) }}
{{- end }}

{{/* A size → bytes. */}}
{{- define "treble-bridge.bytes" -}}
{{- $text := include "treble-bridge.option" . }}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $text }}
{{- $unit := trim (trimPrefix $number $text) }}
{{- $units := dict "" 1 "B" 1 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824 "TiB" 1099511627776 }}
{{- $units = merge $units (dict "kB" 1000 "KB" 1000 "MB" 1000000 "GB" 1000000000 "TB" 1000000000000) }}
{{- mulf (float64 $number) (get $units $unit) | int64 }}
{{- end }}

{{/* host:port → the host. */}}
{{- define "treble-bridge.host" -}}
{{- regexReplaceAll ":[0-9]+$" (include "treble-bridge.option" .) "" }}
{{- end }}

{{/* host:port → the port. */}}
{{- define "treble-bridge.port" -}}
{{- $text := include "treble-bridge.option" . }}
{{- $port := regexFind "[0-9]+$" $text | int }}
{{- $host := include "treble-bridge.host" . }}
{{- if or (eq $port 0) (hasPrefix "127." $host) (has $host (list "localhost" "[::1]")) }}
{{- fail (printf "\n\nconfig.%s: %s can't be reached from outside the pod: expected something like 0.0.0.0:8080.\n" .path $text) }}
{{- end }}
{{- /* A socket of [::] takes IPv6 only, that of an empty host both. */}}
{{- $families := default list .root.Values.service.ipFamilies }}
{{- $both := eq (default "" .root.Values.service.ipFamilyPolicy) "RequireDualStack" }}
{{- if and (eq $host "[::]") (or $both (ne (join "," $families) "IPv6")) }}
{{- fail (printf "\n\nconfig.%s: %s takes no IPv4: expected :%d for both, or service.ipFamilies: [IPv6].\n" .path $text $port) }}
{{- end }}
{{- if and (eq $host "0.0.0.0") (or $both (has "IPv6" $families)) }}
{{- fail (printf "\n\nconfig.%s: %s takes no IPv6, which service.%s asks for: expected :%d for both.\n" .path $text ($both | ternary "ipFamilyPolicy" "ipFamilies") $port) }}
{{- end }}
{{- $port }}
{{- end }}

{{- define "treble-bridge.httpPort" -}}
{{ include "treble-bridge.port" (dict "root" . "path" "server.listen") }}
{{- end }}

{{- define "treble-bridge.adminPort" -}}
{{ include "treble-bridge.port" (dict "root" . "path" "admin.listen") }}
{{- end }}

{{/* Where a process in the bridge's own container reaches its admin port. */}}
{{- define "treble-bridge.adminUrl" -}}
{{- $host := include "treble-bridge.host" (dict "root" . "path" "admin.listen") }}
{{- $inside := dict "" "127.0.0.1" "0.0.0.0" "127.0.0.1" "[::]" "[::1]" }}
{{- printf "http://%s:%s" (hasKey $inside $host | ternary (get $inside $host) $host) (include "treble-bridge.adminPort" .) }}
{{- end }}

{{/* preStop + drain_delay + ack_deadline + 1 s + drain_deadline + margin, in whole seconds: docs/runbook.md. */}}
{{- define "treble-bridge.gracePeriod" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds }}
{{- $ms := mulf 1000 (add .Values.preStop.sleepSeconds .Values.terminationGraceMarginSeconds 1) }}
{{- range list "server.drain_delay" "server.ack_deadline" "server.drain_deadline" }}
{{- $ms = addf $ms (include "treble-bridge.milliseconds" (dict "root" $ "path" .) | float64) }}
{{- end }}
{{- divf $ms 1000 | ceil | int64 }}
{{- else }}
{{- .Values.terminationGracePeriodSeconds | int64 }}
{{- end }}
{{- end }}
