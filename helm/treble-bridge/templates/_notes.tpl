{{/* What NOTES.txt says: where the webhooks are taken, and what is worth a look. */}}

{{/* Where Treble may call, as JSON: scheme, host and port, one for each host. */}}
{{- define "treble-bridge.bases" -}}
{{- $bases := list }}
{{- if .Values.ingress.enabled }}
{{- range default (list "YOUR-HOST") .Values.ingress.hosts }}
{{- $bases = append $bases (printf "%s://%s" (include "treble-bridge.ingressScheme" (list $ .)) .) }}
{{- end }}
{{- else if .Values.httpRoute.enabled }}
{{- range default (list "YOUR-HOST") .Values.httpRoute.hostnames }}
{{- $bases = append $bases (printf "https://%s" .) }}
{{- end }}
{{- else if eq .Values.service.type "ClusterIP" }}
{{- $bases = append $bases "https://YOUR-HOST" }}
{{- else }}
{{- $scheme := include "treble-bridge.scheme" . }}
{{- $port := include "treble-bridge.servicePort" . }}
{{- if eq .Values.service.type "NodePort" }}
{{- $port = default "NODE-PORT" .Values.service.nodePort | toString }}
{{- end }}
{{- $usual := dict "http" "80" "https" "443" }}
{{- $bases = append $bases (printf "%s://YOUR-HOST%s" $scheme (eq $port (get $usual $scheme) | ternary "" (print ":" $port))) }}
{{- end }}
{{- toJson $bases }}
{{- end }}

{{/* Whether an entry of ingress.tls is about a host: by its name, by a wildcard, or by naming none. Call with (list $ host). */}}
{{- define "treble-bridge.ingressScheme" -}}
{{- $host := index . 1 }}
{{- $wildcard := regexReplaceAll "^[^.]+" $host "*" }}
{{- $scheme := "http" }}
{{- range (index . 0).Values.ingress.tls }}
{{- if or (not .hosts) (has $host .hosts) (has $wildcard .hosts) }}
{{- $scheme = "https" }}
{{- end }}
{{- end }}
{{- $scheme }}
{{- end }}

{{/* A source's path and query, with words for its secrets, as JSON. Call with (list "name" $source). */}}
{{- define "treble-bridge.urlParts" -}}
{{- $path := default (printf "/webhooks/%s" (index . 0)) (index . 1).path }}
{{- $query := "" }}
{{- if kindIs "slice" (index . 1).auth }}
{{- with first (index . 1).auth }}
{{- if .path_secret }}
{{- $path = printf "%s/PATH-SECRET" $path }}
{{- end }}
{{- with .query }}
{{- $query = printf "?%s=SECRET" .name }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson (list $path $query) }}
{{- end }}

{{/* What must be there so that events reach Kafka, as JSON. */}}
{{- define "treble-bridge.needed" -}}
{{- $topics := default dict .Values.config.topics }}
{{- $defaults := (.Files.Get "files/from-code.yaml" | fromYaml).defaults }}
{{- $create := default (get $defaults "topics.create") $topics.create | toString }}
{{- $replicas := default (get $defaults "topics.replication_factor") $topics.replication_factor | toString }}
{{- $found := list }}
{{- if has $create (list "verify" "off") }}
{{- $pod := printf "kubectl --namespace %s exec %s-0 --container bridge" .Release.Namespace (include "treble-bridge.fullname" .) }}
{{- $found = list (printf "Topics: nothing makes them, config.topics.create is %s." $create) }}
{{- $found = append $found "Until they exist, webhooks are answered 200, and their events wait in the journal." }}
{{- $found = append $found "Let the bridge make them (config.topics.create: missing), or make them yourself; this prints the commands:" }}
{{- $found = append $found (printf "%s -- treble-bridge topics create --config /etc/treble-bridge/bridge.yaml --print" $pod) }}
{{- else if and (eq $create "missing") (ne $replicas "1") (not (contains "${" $replicas)) }}
{{- $found = list (printf "At least %s brokers: topics are made with %s replicas." $replicas $replicas) }}
{{- $found = append $found "With fewer, none is made: lower config.topics.replication_factor." }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* What is worth a look, as JSON. */}}
{{- define "treble-bridge.worthALook" -}}
{{- $values := .Values }}
{{- $found := list }}
{{- range list "published" "proxy" "families" "kept" "watched" }}
{{- $found = concat $found (include (printf "treble-bridge.%s" .) $ | fromJsonArray) }}
{{- end }}
{{- range $name, $source := $values.config.sources }}
{{- if eq (toString $source.auth) "none" }}
{{- $found = append $found (printf "Source %s takes webhooks from everybody (auth: none)." $name) }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* Of the way from Treble. */}}
{{- define "treble-bridge.published" -}}
{{- $found := list }}
{{- $by := "" }}
{{- if .Values.ingress.enabled }}
{{- $by = "ingress" }}
{{- else if .Values.httpRoute.enabled }}
{{- $by = "httpRoute" }}
{{- end }}
{{- if $by }}
{{- $hosts := eq $by "ingress" | ternary .Values.ingress.hosts .Values.httpRoute.hostnames }}
{{- if not $hosts }}
{{- $found = append $found "No host name is given; the URLs above say YOUR-HOST." }}
{{- end }}
{{- range $hosts }}
{{- if hasPrefix "*." . }}
{{- $found = append $found (printf "%s stands for many hosts: put one of them in its place." .) }}
{{- end }}
{{- if and (eq $by "ingress") (eq (include "treble-bridge.ingressScheme" (list $ .)) "http") }}
{{- $found = append $found (printf "ingress.tls has no %s: tokens would travel in plain text, unless something in front ends TLS." .) }}
{{- end }}
{{- end }}
{{- if and (eq $by "ingress") (not $hosts) (not .Values.ingress.tls) }}
{{- $found = append $found "ingress.tls is empty: tokens would travel in plain text, unless something in front ends TLS." }}
{{- end }}
{{- range include "treble-bridge.uncovered" (list . (get .Values $by).paths) | fromJsonArray }}
{{- $found = append $found (printf "%s.paths doesn't cover %s, the path of a source." $by .) }}
{{- end }}
{{- else if eq .Values.service.type "ClusterIP" }}
{{- $found = append $found "Nothing publishes the webhooks yet: ingress, httpRoute, or service.type LoadBalancer." }}
{{- else if eq (include "treble-bridge.scheme" .) "http" }}
{{- $found = append $found "The Service takes plain text: tokens would travel in it, unless something in front ends TLS, or tls.enabled." }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* Paths of sources that none of the published ones is the beginning of, as JSON. Call with (list $ paths). */}}
{{- define "treble-bridge.uncovered" -}}
{{- $published := index . 1 }}
{{- $uncovered := list }}
{{- range include "treble-bridge.paths" (index . 0) | fromJsonArray }}
{{- $path := . }}
{{- $covered := empty $published }}
{{- range $published }}
{{- $covered = or $covered (hasPrefix (print (trimSuffix "/" .) "/") (print $path "/")) }}
{{- end }}
{{- if not $covered }}
{{- $uncovered = append $uncovered $path }}
{{- end }}
{{- end }}
{{- toJson $uncovered }}
{{- end }}

{{/* Of the way from the proxy to the pods: where the bridge ends TLS, who calls the Service must know. */}}
{{- define "treble-bridge.proxy" -}}
{{- $found := list }}
{{- if eq (include "treble-bridge.scheme" .) "https" }}
{{- if and .Values.httpRoute.enabled (not (default dict .Values.httpRoute.backendTLS).enabled) }}
{{- $found = append $found "The bridge ends TLS: the Gateway must speak TLS to the Service (httpRoute.backendTLS, or a policy of your own)." }}
{{- end }}
{{- $told := regexMatch "backend-protocol" (keys (default dict .Values.ingress.annotations) | join " ") }}
{{- if and .Values.ingress.enabled (not $told) }}
{{- $found = append $found "The bridge ends TLS: the Ingress controller must speak TLS to the Service; nginx by ingress.annotations nginx.ingress.kubernetes.io/backend-protocol: HTTPS." }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* Of the families of addresses: where a cluster has both, the Services then have addresses at which nobody listens. */}}
{{- define "treble-bridge.families" -}}
{{- $found := list }}
{{- if eq (default "" .Values.service.ipFamilyPolicy) "PreferDualStack" }}
{{- range list "server.listen" "admin.listen" }}
{{- $about := dict "root" $ "path" . }}
{{- if has (include "treble-bridge.host" $about) (list "0.0.0.0" "[::]") }}
{{- $port := include "treble-bridge.port" $about }}
{{- $found = append $found (printf "service.ipFamilyPolicy is PreferDualStack, and config.%s takes one family only: :%s takes both." . $port) }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* Of replicas and what they hold. */}}
{{- define "treble-bridge.kept" -}}
{{- $values := .Values }}
{{- $found := list }}
{{- if not $values.persistence.enabled }}
{{- $found = append $found "persistence is off: what was acknowledged and not forwarded is lost with its pod." }}
{{- end }}
{{- $others := kindIs "invalid" $values.replicaCount }}
{{- $least := $others | ternary 2 $values.replicaCount }}
{{- if $values.autoscaling.enabled }}
{{- $least = $values.autoscaling.minReplicas }}
{{- end }}
{{- if lt (int $least) 2 }}
{{- $found = append $found "With one replica, webhooks are refused whenever its pod is replaced." }}
{{- end }}
{{- if or $values.autoscaling.enabled $others }}
{{- $found = append $found "Scaling down leaves a claim behind that no hook drains: docs/kubernetes.md." }}
{{- end }}
{{- if eq $values.persistence.retentionPolicy.whenScaled "Delete" }}
{{- $found = append $found "whenScaled is Delete: what a replica did not forward is lost when it is scaled away." }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* Of who looks, and who may. */}}
{{- define "treble-bridge.watched" -}}
{{- $found := list }}
{{- if not .Values.networkPolicy.enabled }}
{{- $found = append $found "networkPolicy is off: every pod of the cluster may call the admin port." }}
{{- end }}
{{- if not .Values.prometheusRule.enabled }}
{{- $found = append $found "prometheusRule is off: nobody is told when webhooks are refused." }}
{{- end }}
{{- toJson $found }}
{{- end }}
