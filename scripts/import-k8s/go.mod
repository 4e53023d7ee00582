module mecha.dev/scripts/import-k8s

go 1.24
