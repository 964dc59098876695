"""Words such as `count` are no ids: an id is digits, so no route hides another."""

from rest_framework.routers import SimpleRouter

from assistants.api.views import AssistantViewSet

router = SimpleRouter(trailing_slash=False)
router.register("assistants", AssistantViewSet, basename="assistant")

urlpatterns = router.urls
