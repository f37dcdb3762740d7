// Command control-plane is a Kubernetes control plane for tests: etcd, API server,
// controller manager and scheduler, the real ones, in one program.
//
//	control-plane run DIR    starts all of them, each as a process of its own, with
//	                         certificates and data in DIR; writes one line of JSON when the API
//	                         answers, and ends with all of them when its standard input does
//	control-plane kubectl …  is kubectl
package main

import (
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "control-plane: name a part: run, etcd, apiserver, controller-manager, scheduler, kubectl")
		os.Exit(64)
	}
	part := os.Args[1]
	os.Args = append([]string{part}, os.Args[2:]...)
	switch part {
	case "run":
		if len(os.Args) != 2 {
			fail(fmt.Errorf("usage: control-plane run DIR"))
		}
		fail(run(os.Args[1]))
	case "etcd":
		fail(etcd(os.Args[1], os.Args[2], os.Args[3]))
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case "scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "kubectl":
		os.Exit(cli.Run(cmd.NewDefaultKubectlCommand()))
	default:
		fail(fmt.Errorf("there is no part %q", part))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "control-plane:", err)
		os.Exit(1)
	}
}
