// Command control-plane is a Kubernetes control plane for tests: etcd, API server,
// controller manager and scheduler, the real ones, in one program.
//
//	control-plane run DIR         starts all of them, each as a process of its own, with
//	                              certificates and data in DIR; writes one line of JSON when the
//	                              API answers, and ends with all of them when its standard input
//	                              does. KUBEBUILDER_ASSETS, where it holds kube-apiserver and
//	                              etcd, takes the place of these two.
//	control-plane leash PROGRAM…  runs another program, which ends when standard input does
//	control-plane kubectl …       is kubectl; so is a link to it of that name
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

const usage = "name a part: run, leash, etcd, apiserver, controller-manager, scheduler, kubectl"

func main() {
	if filepath.Base(os.Args[0]) == "kubectl" {
		kubectl()
		return
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "control-plane:", usage)
		os.Exit(64)
	}
	// Each part sees its own arguments as a program does.
	os.Args = os.Args[1:]
	part, arguments := os.Args[0], os.Args[1:]
	switch part {
	case "run":
		if len(arguments) != 1 {
			fail(errors.New("usage: control-plane run DIR"))
		}
		keepThread()
		fail(run(arguments[0]))
	case "leash":
		if len(arguments) == 0 {
			fail(errors.New("usage: control-plane leash PROGRAM [ARGUMENT…]"))
		}
		keepThread()
		fail(leash(arguments))
	case "etcd":
		if len(arguments) != 3 {
			fail(errors.New("usage: control-plane etcd DIR CLIENT-URL PEER-URL"))
		}
		fail(etcd(arguments[0], arguments[1], arguments[2]))
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case "scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "kubectl":
		kubectl()
	default:
		fail(fmt.Errorf("there is no part %q; %s", part, usage))
	}
}

// keepThread keeps the thread that starts children: the kernel ends a child of Pdeathsig when the
// thread that made it ends, not when the process does.
func keepThread() { runtime.LockOSThread() }

func kubectl() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "control-plane:", err)
		os.Exit(1)
	}
}
