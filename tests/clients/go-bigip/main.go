// Calls of go-bigip against a device; one line of JSON for each on standard output, as outcomes.py has it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/f5devcentral/go-bigip"
)

// call makes a call and tells what became of it. refused holds the words of a device that refuses it, if it
// does.
func call(name string, refused string, action func() error) {
	err := action()
	outcome := "passes"
	switch {
	case err == nil && refused != "":
		outcome = "fault: it was not refused"
	case err == nil:
	case strings.Contains(err.Error(), "bigip-sim does not simulate"):
		outcome = "not simulated"
	case refused != "" && strings.Contains(err.Error(), refused):
		outcome = "refused"
	default:
		outcome = "fault: " + err.Error()
	}
	line, _ := json.Marshal(map[string]string{"call": name, "outcome": outcome})
	fmt.Println(string(line))
}

// only drops what a call gives beside its error.
func only[T any](_ T, err error) error {
	return err
}

func main() {
	log.SetOutput(io.Discard)
	address, port, password := os.Args[1], os.Args[2], os.Args[3]
	config := &bigip.Config{
		Address: address, Port: port, Username: "admin", Password: password,
		CertVerifyDisable: true,
	}
	var token *bigip.BigIP
	call("NewTokenSession", "", func() (err error) {
		token, err = bigip.NewTokenSession(config)
		return err
	})
	basic := bigip.NewSession(config)
	call("SelfIPs with Basic credentials", "", func() error { return only(basic.SelfIPs()) })
	call("SelfIPs with a token", "", func() error { return only(token.SelfIPs()) })
	b := basic
	call("BigipVersion", "", func() error { return only(b.BigipVersion()) })
	call("GetDevices", "", func() error { return only(b.GetDevices()) })
	call("Vlans", "", func() error { return only(b.Vlans()) })
	call("Routes", "", func() error { return only(b.Routes()) })
	call("RouteDomains", "", func() error { return only(b.RouteDomains()) })
	call("Tunnels", "", func() error { return only(b.Tunnels()) })
	call("Vxlans", "", func() error { return only(b.Vxlans()) })
	call("Trunks", "", func() error { return only(b.Trunks()) })
	call("Interfaces", "", func() error { return only(b.Interfaces()) })
	call("Pools", "", func() error { return only(b.Pools()) })
	call("Nodes", "", func() error { return only(b.Nodes()) })
	call("SnatPools", "", func() error { return only(b.SnatPools()) })
	call("NTPs", "", func() error { return only(b.NTPs()) })
	call("DNSs", "", func() error { return only(b.DNSs()) })
	call("Provisions", "", func() error { return only(b.Provisions("ltm")) })
	call("ModifyNTP", "", func() error {
		return b.ModifyNTP(&bigip.NTP{Servers: []string{"10.0.0.1"}, Timezone: "UTC"})
	})
	call("ModifyDNS", "", func() error {
		return b.ModifyDNS(&bigip.DNS{NameServers: []string{"10.0.0.1"}, Search: []string{"lab.local"}})
	})
	call("CreatePartition", "", func() error { return b.CreatePartition(&bigip.Partition{Name: "k8s"}) })
	call("GetPartition", "", func() error { return only(b.GetPartition("k8s")) })
	call("CreateVlan", "", func() error { return b.CreateVlan(&bigip.Vlan{Name: "v", Tag: 11}) })
	call("CreateVlan again", "01020066", func() error { return b.CreateVlan(&bigip.Vlan{Name: "v", Tag: 11}) })
	call("GetVlanInterfaces", "", func() error { return only(b.GetVlanInterfaces("v")) })
	call("AddInterfaceToVlan", "", func() error { return b.AddInterfaceToVlan("v", "1.1", true) })
	call("AddVxlan", "", func() error {
		return b.AddVxlan(&bigip.Vxlan{Name: "vx", Port: 8472, FloodingType: "multipoint"})
	})
	call("CreateTunnel", "", func() error {
		return b.CreateTunnel(&bigip.Tunnel{Name: "t", Key: 5, Profile: "/Common/vx", LocalAddress: "10.169.72.34"})
	})
	call("CreateTunnel with its VNI again", "010716ce", func() error {
		return b.CreateTunnel(&bigip.Tunnel{Name: "u", Key: 5, Profile: "/Common/vx", LocalAddress: "10.169.72.34"})
	})
	call("ModifyTunnel", "", func() error {
		return b.ModifyTunnel("t", &bigip.Tunnel{
			Profile: "/Common/vx", LocalAddress: "10.169.72.34", Key: 5, Mtu: 1400,
		})
	})
	call("CreateSelfIP", "", func() error {
		return b.CreateSelfIP(&bigip.SelfIP{Name: "s", Address: "10.244.9.1/24", Vlan: "/Common/t"})
	})
	call("SelfIP", "", func() error { return only(b.SelfIP("s")) })
	call("ModifySelfIP", "", func() error {
		return b.ModifySelfIP("s", &bigip.SelfIP{Address: "10.244.9.1/24", Vlan: "/Common/t", AllowService: "all"})
	})
	route := &bigip.Route{Name: "r", Network: "10.2.0.0/16", TmInterface: "/Common/t"}
	call("CreateRoute", "", func() error { return b.CreateRoute(route) })
	call("GetRoute", "", func() error { return only(b.GetRoute("r")) })
	call("ModifyRoute", "", func() error { return b.ModifyRoute("r", route) })
	call("CreateRouteDomain", "", func() error { return b.CreateRouteDomain("rd1", 1, true, "/Common/v") })
	call("CreatePool", "", func() error { return b.CreatePool("p") })
	call("RunCommand bash", "", func() error {
		return only(b.RunCommand(&bigip.BigipCommand{Command: "run", UtilCmdArgs: "-c id"}))
	})
	call("transaction of a VLAN", "", func() error {
		transaction, err := b.StartTransaction()
		if err != nil {
			return err
		}
		if err := b.CreateVlan(&bigip.Vlan{Name: "w", Tag: 12}); err != nil {
			return err
		}
		return b.CommitTransaction(transaction.TransID)
	})
	call("DeleteRouteDomain", "", func() error { return b.DeleteRouteDomain("rd1") })
	call("DeleteTunnel in use", "01070265", func() error { return b.DeleteTunnel("t") })
	call("DeleteRoute", "", func() error { return b.DeleteRoute("r") })
	call("DeleteSelfIP", "", func() error { return b.DeleteSelfIP("s") })
	call("DeleteTunnel", "", func() error { return b.DeleteTunnel("t") })
	call("DeleteVxlan", "", func() error { return b.DeleteVxlan("vx") })
	call("DeleteVlan", "", func() error { return b.DeleteVlan("w") })
	call("DeletePartition", "", func() error { return b.DeletePartition("k8s") })
	call("DeleteVlan that is gone", "01020036", func() error { return b.DeleteVlan("w") })
}
