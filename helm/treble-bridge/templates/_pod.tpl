{{/* What the bridge's pods, the Jobs that drain and the tests have in common. */}}

{{- define "treble-bridge.podSettings" -}}
serviceAccountName: {{ include "treble-bridge.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "treble-bridge.container" -}}
image: {{ include "treble-bridge.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end }}

{{/* The environment of a container that reads the configuration. */}}
{{- define "treble-bridge.environment" -}}
{{- if or .Values.secrets.env .Values.env }}
env:
  {{- range $name, $from := .Values.secrets.env }}
  - name: {{ $name }}
    valueFrom:
      secretKeyRef:
        name: {{ $from.secretName }}
        key: {{ $from.key }}
        {{- if $from.optional }}
        optional: true
        {{- end }}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .Values.envFrom }}
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
    name: {{ include "treble-bridge.fullname" . }}
{{- with .Values.secrets.files }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $name, $from := . }}
      - secret:
          name: {{ $from.secretName }}
          items:
            - key: {{ $from.key }}
              path: {{ $name }}
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
          name: {{ include "treble-bridge.tlsSecret" . }}
          items:
            - {key: tls.crt, path: tls.crt}
            - {key: tls.key, path: tls.key}
      {{- with .Values.tls.clientCA }}
      {{- if .secretName }}
      - secret:
          name: {{ .secretName }}
          items:
            - key: {{ .key }}
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
