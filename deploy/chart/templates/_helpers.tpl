{{- define "delivery.name" -}}
{{- if eq .Release.Name "delivery" -}}delivery{{- else -}}{{ printf "%s-delivery" .Release.Name | trunc 40 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "delivery.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* What tells the pods of one part from all others; never changed, since a selector cannot be. */}}
{{- define "delivery.selector" -}}
app.kubernetes.io/name: progressive-delivery
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "delivery.labels" -}}
{{ include "delivery.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{- define "delivery.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "delivery.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* One container of ours: the image, the secret as environment and files, the configuration. `args` is its command. */}}
{{- define "delivery.container" -}}
image: {{ include "delivery.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ toJson .args }}
securityContext: {{- include "delivery.containerSecurity" .root | nindent 2 }}
{{- with .root.Values.secret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{- with .env }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: config, mountPath: /etc/delivery, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  {{- if .root.Values.secret }}
  - {name: secret, mountPath: /run/secrets/delivery, readOnly: true}
  {{- end }}
  {{- with .volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "delivery.volumes" -}}
- name: config
  configMap: {name: {{ include "delivery.name" .root }}}
- name: tmp
  emptyDir: {}
{{- with .root.Values.secret }}
- name: secret
  secret: {secretName: {{ . }}}
{{- end }}
{{- with .volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Waits until the migration has been there, whoever ran it. It reads all of the configuration, as its container does. */}}
{{- define "delivery.wait" -}}
initContainers:
  - name: wait-for-schema
    resources:
      requests: {cpu: 50m, memory: 128Mi}
      limits: {memory: 256Mi}
    {{- include "delivery.container" (dict "root" .root "args" (list "migrate" "--wait") "env" .root.Values.env "volumeMounts" .volumeMounts) | nindent 4 }}
{{- end -}}

{{- define "delivery.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "delivery.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "delivery.selector" . | nindent 8 }}
{{- end -}}
