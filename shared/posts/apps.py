from __future__ import annotations

from django.apps import AppConfig


class PostsConfig(AppConfig):
    name = "shared.posts"
    label = "posts"
    verbose_name = "Posts"
