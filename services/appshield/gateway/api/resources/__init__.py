"""The routes: one package for each family of things, one module for each resource."""
