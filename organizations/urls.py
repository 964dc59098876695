from django.urls import path

from organizations import views
from organizations.ui import audit

urlpatterns = [
    path("sign-in", views.sign_in, name="sign-in"),
    path("sign-out", views.sign_out, name="sign-out"),
    path("organizations/switch", views.switch_organization, name="switch-organization"),
    path("audit", audit.log, name="audit"),
    path("audit.csv", audit.export, name="audit-csv"),
]
