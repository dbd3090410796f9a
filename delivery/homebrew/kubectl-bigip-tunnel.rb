# Formula of the plugin for Homebrew. A template: a release fills in what stands between @ signs (delivery/package.sh).
class KubectlBigipTunnel < Formula
  desc "Show and steer tunnels of F5 BIG-IPs that are joined to a Kubernetes cluster"
  homepage "https://github.com/bigip-tunnel/operator"
  version "@VERSION@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "@BASE_URL@/kubectl-bigip_tunnel-v@VERSION@-darwin-arm64.tar.gz"
      sha256 "@SHA256_DARWIN_ARM64@"
    end
    on_intel do
      url "@BASE_URL@/kubectl-bigip_tunnel-v@VERSION@-darwin-amd64.tar.gz"
      sha256 "@SHA256_DARWIN_AMD64@"
    end
  end

  on_linux do
    on_arm do
      url "@BASE_URL@/kubectl-bigip_tunnel-v@VERSION@-linux-arm64.tar.gz"
      sha256 "@SHA256_LINUX_ARM64@"
    end
    on_intel do
      url "@BASE_URL@/kubectl-bigip_tunnel-v@VERSION@-linux-amd64.tar.gz"
      sha256 "@SHA256_LINUX_AMD64@"
    end
  end

  def install
    bin.install "kubectl-bigip_tunnel"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/kubectl-bigip_tunnel version --client")
    assert_match "0a:0a:0a:a9:48:ef", shell_output("#{bin}/kubectl-bigip_tunnel macs 10.169.72.239")
  end
end
