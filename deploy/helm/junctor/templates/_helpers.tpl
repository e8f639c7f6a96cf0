{{- define "junctor.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "junctor.labels" -}}
app.kubernetes.io/name: junctor
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "junctor.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{- define "junctor.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "junctor.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "junctor.environment" -}}
- name: JUNCTOR_DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ .Values.existingSecret | quote }}, key: JUNCTOR_DATABASE_URL}
- name: JUNCTOR_MASTER_KEY
  valueFrom:
    secretKeyRef: {name: {{ .Values.existingSecret | quote }}, key: JUNCTOR_MASTER_KEY}
- name: JUNCTOR_PUBLIC_URL
  value: {{ required "publicUrl: say how the world reaches the servers" .Values.publicUrl | quote }}
- name: JUNCTOR_TRUSTED_PROXIES
  value: {{ .Values.trustedProxies | quote }}
- name: JUNCTOR_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "junctor.mounts" -}}
- name: data
  mountPath: /var/lib/junctor
- name: tmp
  mountPath: /tmp
{{- end -}}

{{- define "junctor.volumes" -}}
- name: data
  emptyDir: {}
- name: tmp
  emptyDir: {}
{{- end -}}

{{- define "junctor.placement" -}}
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
{{- end -}}
