{{/* The three profiles. Each is a list of rules; a wider one begins with the narrower. */}}
{{- define "delivery.rights.observe" -}}
- {apiGroups: [apps], resources: [deployments, replicasets, statefulsets, daemonsets], verbs: [get, list, watch]}
- {apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [get, list, watch]}
- {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [get, list, watch]}
- {apiGroups: [keda.sh], resources: [scaledobjects], verbs: [get, list]}
- {apiGroups: [""], resources: [pods, services, persistentvolumeclaims], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [pods/log], verbs: [get]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
- {apiGroups: [networking.istio.io], resources: [virtualservices, destinationrules], verbs: [get, list, watch]}
{{- end -}}

{{- define "delivery.rights.route" -}}
{{ include "delivery.rights.observe" . }}
# Routes, and what lies beside them: Services that name a version once more, limits of the candidate.
- {apiGroups: [networking.istio.io], resources: [virtualservices], verbs: [update]}
- {apiGroups: [networking.istio.io], resources: [destinationrules, envoyfilters], verbs: [get, list, create, update, delete]}
- {apiGroups: [security.istio.io], resources: [requestauthentications, authorizationpolicies], verbs: [get, list, create, update, delete]}
# With `trace_tags` in the server's configuration.
- {apiGroups: [telemetry.istio.io], resources: [telemetries], verbs: [get, list, create, update, delete]}
- {apiGroups: [""], resources: [services], verbs: [create, update, patch, delete]}
# `versioned`: a Deployment is kept from shrinking while a route names it.
- {apiGroups: [apps], resources: [deployments], verbs: [update, patch]}
- {apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [update, patch]}
{{- end -}}

{{- define "delivery.rights.clone" -}}
{{ include "delivery.rights.route" . }}
- {apiGroups: [apps], resources: [deployments], verbs: [create, delete]}
- {apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [create, delete]}
- {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [create, update, patch, delete]}
{{- end -}}
