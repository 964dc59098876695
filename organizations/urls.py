from django.urls import path

from organizations import views

urlpatterns = [
    path("sign-in", views.sign_in, name="sign-in"),
    path("sign-out", views.sign_out, name="sign-out"),
    path("organizations/switch", views.switch_organization, name="switch-organization"),
]
