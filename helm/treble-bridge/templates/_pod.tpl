{{/* What the bridge's pods, the Jobs that drain and the tests have in common. */}}

{{- define "treble-bridge.podSettings" -}}
serviceAccountName: {{ include "treble-bridge.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- /* Values that are called as in a pod. */}}
{{- $where := list "nodeSelector" "tolerations" "priorityClassName" "schedulerName" "runtimeClassName" }}
{{- range $key := concat $where (list "dnsPolicy" "dnsConfig" "hostAliases" "imagePullSecrets") }}
{{- with get $.Values $key }}
{{ toYaml (dict $key .) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "treble-bridge.container" -}}
image: {{ include "treble-bridge.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end }}

{{/* What the bridge's own container is told besides, as JSON: where `health` asks, unless the values say it. */}}
{{- define "treble-bridge.ownVariables" -}}
{{- $name := "TREBLE_BRIDGE_ADMIN_URL" }}
{{- $own := list (dict "name" $name "value" (include "treble-bridge.adminUrl" .)) }}
{{- range .Values.env }}
{{- if eq .name $name }}
{{- $own = list }}
{{- end }}
{{- end }}
{{- toJson $own }}
{{- end }}

{{/* The environment of a container that reads the configuration. Call with (list $ own), own variables before all others. */}}
{{- define "treble-bridge.environment" -}}
{{- $values := (index . 0).Values }}
{{- $own := index . 1 }}
{{- if or $own $values.secrets.env $values.env }}
env:
  {{- range $own }}
  - name: {{ .name | quote }}
    value: {{ .value | quote }}
  {{- end }}
  {{- range $name, $from := $values.secrets.env }}
  - name: {{ $name | quote }}
    valueFrom:
      secretKeyRef:
        name: {{ $from.secretName | quote }}
        key: {{ $from.key | quote }}
        {{- if $from.optional }}
        optional: true
        {{- end }}
  {{- end }}
  {{- with $values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with $values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Where the configuration and what it names are mounted. */}}
{{- define "treble-bridge.volumeMounts" -}}
- name: config
  mountPath: /etc/treble-bridge
  readOnly: true
{{- if .Values.secrets.files }}
- name: secrets
  mountPath: {{ include "treble-bridge.secretFiles" . }}
  readOnly: true
{{- end }}
{{- if .Values.tls.enabled }}
- name: tls
  mountPath: {{ include "treble-bridge.tlsFiles" . }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "treble-bridge.volumes" -}}
- name: config
  configMap:
    name: {{ include "treble-bridge.fullname" . | quote }}
{{- with .Values.secrets.files }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $name, $from := . }}
      - secret:
          name: {{ $from.secretName | quote }}
          items:
            - key: {{ $from.key | quote }}
              path: {{ $name | quote }}
          {{- if $from.optional }}
          optional: true
          {{- end }}
      {{- end }}
{{- end }}
{{- if .Values.tls.enabled }}
- name: tls
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ include "treble-bridge.tlsSecret" . | quote }}
          items:
            - {key: tls.crt, path: tls.crt}
            - {key: tls.key, path: tls.key}
      {{- with .Values.tls.clientCA }}
      {{- if .secretName }}
      - secret:
          name: {{ .secretName | quote }}
          items:
            - key: {{ .key | quote }}
              path: client-ca.crt
      {{- end }}
      {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "treble-bridge.affinity" -}}
{{- if .Values.affinity }}
{{- toYaml .Values.affinity }}
{{- else if ne .Values.podAntiAffinity "none" }}
{{- $hard := eq .Values.podAntiAffinity "hard" }}
podAntiAffinity:
  {{- if $hard }}
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "treble-bridge.podSelectorLabels" . | nindent 10 }}
  {{- else }}
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "treble-bridge.podSelectorLabels" . | nindent 12 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "treble-bridge.spread" -}}
{{- range .Values.topologySpreadConstraints }}
{{- $selector := dict "labelSelector" (dict "matchLabels" (include "treble-bridge.podSelectorLabels" $ | fromYaml)) }}
- {{ toYaml (merge (deepCopy .) $selector) | nindent 2 | trim }}
{{- end }}
{{- end }}
