"""The backend's name, apart from everything that takes time to import."""

BACKEND = "vlmevalkit"
