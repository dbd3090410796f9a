// The program that keeps the namespaces of a pod on the local node (`cargo xtask e2e`).
module github.com/bigip-tunnel/operator/tests/tools/pause

go 1.25.0
