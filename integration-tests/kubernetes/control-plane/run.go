package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// ready is what the user of a control plane is told, in one line of JSON.
type ready struct {
	URL        string `json:"url"`
	CA         string `json:"ca"` // a file, PEM
	Token      string `json:"token"`
	Kubeconfig string `json:"kubeconfig"` // a file
}

// plane is a control plane that is being started.
type plane struct {
	dir       string
	self      string
	authority []byte
	token     string
	parts     []*exec.Cmd
	ended     chan error
	running   sync.WaitGroup
}

// run starts everything and waits for the end of standard input.
func run(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ending := ending()
	p := &plane{dir: dir, self: self, ended: make(chan error, 16)}
	defer p.stop()
	told, err := p.start(ending)
	if err != nil {
		return err
	}
	line, err := json.Marshal(told)
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	select {
	case <-ending:
		return nil
	case err := <-p.ended:
		return err
	}
}

func (p *plane) path(name string) string { return filepath.Join(p.dir, name) }

func (p *plane) start(ending <-chan struct{}) (*ready, error) {
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	client := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	url := fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	if p.authority, err = certificates(p.dir); err != nil {
		return nil, err
	}
	token := make([]byte, 16)
	if _, err := rand.Read(token); err != nil {
		return nil, err
	}
	p.token = hex.EncodeToString(token)
	if err := p.write("tokens.csv", []byte(p.token+`,admin,admin,"system:masters"`+"\n")); err != nil {
		return nil, err
	}
	if err := p.kubeconfig(url); err != nil {
		return nil, err
	}
	if err := p.store(client, peer, ports[2]); err != nil {
		return nil, err
	}
	if err := p.wait(url, ending); err != nil {
		return nil, err
	}
	if err := p.part("controller-manager", p.managerFlags(ports[3])...); err != nil {
		return nil, err
	}
	if err := p.part("scheduler", p.schedulerFlags(ports[4])...); err != nil {
		return nil, err
	}
	return &ready{URL: url, CA: p.path("ca.pem"), Token: p.token, Kubeconfig: p.path("kubeconfig")}, nil
}

// store starts etcd and the API server: those of KUBEBUILDER_ASSETS, the convention of envtest,
// or our own. Source: https://book.kubebuilder.io/reference/envtest
func (p *plane) store(client, peer string, port int) error {
	if given := os.Getenv("KUBEBUILDER_ASSETS"); given != "" {
		etcd, server := filepath.Join(given, "etcd"), filepath.Join(given, "kube-apiserver")
		if executable(etcd) && executable(server) {
			err := p.program("etcd", etcd, "--data-dir="+p.path("etcd"), "--unsafe-no-fsync", "--log-level=error",
				"--listen-client-urls="+client, "--advertise-client-urls="+client, "--listen-peer-urls="+peer,
				"--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer)
			if err != nil {
				return err
			}
			return p.program("apiserver", server, p.serverFlags(client, port)...)
		}
	}
	if err := p.part("etcd", p.path("etcd"), client, peer); err != nil {
		return err
	}
	return p.part("apiserver", p.serverFlags(client, port)...)
}

func executable(path string) bool {
	about, err := os.Stat(path)
	return err == nil && about.Mode().IsRegular() && about.Mode().Perm()&0o111 != 0
}

func (p *plane) serverFlags(etcd string, port int) []string {
	return []string{
		"--etcd-servers=" + etcd, fmt.Sprintf("--secure-port=%d", port), "--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=RBAC", "--token-auth-file=" + p.path("tokens.csv"), "--allow-privileged=true",
		"--tls-cert-file=" + p.path("server.pem"), "--tls-private-key-file=" + p.path("server.key"),
		"--service-account-issuer=https://issuer.test", "--service-account-key-file=" + p.path("accounts.pub"),
		"--service-account-signing-key-file=" + p.path("accounts.key"), "--cert-dir=" + p.path("apiserver"),
		"--max-requests-inflight=1000", "--max-mutating-requests-inflight=500",
	}
}

func (p *plane) managerFlags(port int) []string {
	return append(p.clientFlags(port, "controller-manager"),
		"--service-account-private-key-file="+p.path("accounts.key"), "--root-ca-file="+p.path("ca.pem"),
		// A machine under load is late with its heartbeats; that is not what tests are about.
		"--node-monitor-grace-period=10m",
		// There is no cloud.
		"--controllers=*,-cloud-node-lifecycle-controller,-node-ipam-controller,-node-route-controller,-service-lb-controller",
	)
}

func (p *plane) schedulerFlags(port int) []string { return p.clientFlags(port, "scheduler") }

func (p *plane) clientFlags(port int, name string) []string {
	return []string{
		"--kubeconfig=" + p.path("kubeconfig"), "--leader-elect=false", "--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port), "--cert-dir=" + p.path(name), "--kube-api-qps=200", "--kube-api-burst=400",
	}
}

// part starts one of this program's own parts.
func (p *plane) part(name string, arguments ...string) error {
	return p.program(name, p.self, append([]string{name}, arguments...)...)
}

func (p *plane) program(name, program string, arguments ...string) error {
	log, err := os.Create(p.path(name + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	process := exec.Command(program, arguments...)
	process.Stdout, process.Stderr = log, log
	if err := child(process); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p.parts = append(p.parts, process)
	p.running.Go(func() {
		err := process.Wait()
		p.ended <- fmt.Errorf("%s ended (%v): %s", name, err, tail(log.Name()))
	})
	return nil
}

// tail is the end of a log: what a part says last is why it ended.
func tail(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

func (p *plane) stop() {
	for i := len(p.parts) - 1; i >= 0; i-- {
		_ = p.parts[i].Process.Kill()
	}
	p.running.Wait()
}

// wait waits until the API answers that it is ready.
func (p *plane) wait(url string, ending <-chan struct{}) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.authority)
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}
	request, err := http.NewRequest(http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	deadline := time.After(3 * time.Minute)
	for {
		if answer, err := client.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-p.ended:
			return err
		case <-ending:
			return fmt.Errorf("asked to end before the API was ready")
		case <-deadline:
			return fmt.Errorf("the API is not ready after three minutes: %s", tail(p.path("apiserver.log")))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (p *plane) write(name string, content []byte) error {
	return os.WriteFile(p.path(name), content, 0o600)
}

func (p *plane) kubeconfig(url string) error {
	type object = map[string]any
	text, err := json.MarshalIndent(object{
		"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"clusters": []any{object{"name": "test", "cluster": object{"server": url, "certificate-authority-data": p.authority}}},
		"users":    []any{object{"name": "admin", "user": object{"token": p.token}}},
		"contexts": []any{object{"name": "test", "context": object{"cluster": "test", "user": "admin"}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return p.write("kubeconfig", text)
}

// freePorts finds ports of the loopback that nobody has now.
func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		// Closed only when all are found, so that they differ.
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
