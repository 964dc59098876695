from django.urls import path

from organizations import views
from organizations.ui import keys

urlpatterns = [
    path("sign-in", views.sign_in, name="sign-in"),
    path("sign-out", views.sign_out, name="sign-out"),
    path("organizations/switch", views.switch_organization, name="switch-organization"),
    path("settings/api-keys", keys.keys, name="settings-keys"),
    path("settings/api-keys/new", keys.new_key, name="settings-key-new"),
    path("settings/api-keys/<int:pk>", keys.key, name="settings-key"),
    path("settings/api-keys/<int:pk>/made", keys.key_made, name="settings-key-made"),
    path("settings/api-keys/<int:pk>/revoke", keys.revoke, name="settings-key-revoke"),
]
