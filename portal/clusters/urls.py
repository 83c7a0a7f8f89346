"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path

from portal.clusters import api, views, views_reach

page_urls: list[URLPattern | URLResolver] = [
    path("clusters/", views.cluster_list, name="clusters"),
    path("clusters/new/", views.cluster_new, name="cluster-new"),
    path("clusters/<slug:cluster>/", views.cluster_page, name="cluster"),
    path("clusters/<slug:cluster>/forget/", views.cluster_forget, name="cluster-forget"),
    path("clusters/<slug:cluster>/credential/", views.cluster_credential, name="cluster-credential"),
    path("clusters/<slug:cluster>/reach/", views_reach.cluster_reach, name="cluster-reach"),
    path("clusters/<slug:cluster>/reach/kinds/", views_reach.kind_allow, name="cluster-kind-allow"),
    path(
        "clusters/<slug:cluster>/reach/kinds/<int:allowed>/remove/", views_reach.kind_remove, name="cluster-kind-remove"
    ),
    path("clusters/<slug:cluster>/pods/<str:namespace>/<str:pod>/logs/", views.workload_logs, name="workload-logs"),
]
api_urls: list[URLPattern | URLResolver] = [
    path("clusters/", api.Clusters.as_view(), name="api-clusters"),
    path("clusters/<slug:cluster>/", api.ClusterDetail.as_view(), name="api-cluster"),
    path("clusters/<slug:cluster>/reach/", api.ClusterReach.as_view(), name="api-cluster-reach"),
    path("clusters/<slug:cluster>/pods/<str:namespace>/<str:pod>/logs/", api.PodLogs.as_view(), name="api-pod-logs"),
    path("entities/<uuid:uid>/status/", api.EntityStatusDetail.as_view(), name="api-entity-status"),
]
