package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// plane is a control plane that is being started.
type plane struct {
	dir   string
	self  string
	parts []*exec.Cmd
	ended chan error
}

// run starts everything and waits for the end of standard input.
func run(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	p := &plane{dir: dir, self: self, ended: make(chan error, 8)}
	defer p.stop()
	ready, err := p.start()
	if err != nil {
		return err
	}
	line, err := json.Marshal(ready)
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(closed)
	}()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-closed:
		return nil
	case <-signals:
		return nil
	case err := <-p.ended:
		return err
	}
}

func (p *plane) path(name string) string { return filepath.Join(p.dir, name) }

func (p *plane) start() (map[string]string, error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	client := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	url := fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	token := make([]byte, 16)
	if _, err := rand.Read(token); err != nil {
		return nil, err
	}
	secret := hex.EncodeToString(token)
	authority, err := p.certificates()
	if err != nil {
		return nil, err
	}
	if err := p.write("tokens.csv", []byte(secret+`,admin,admin,"system:masters"`+"\n")); err != nil {
		return nil, err
	}
	if err := p.kubeconfig(url, secret); err != nil {
		return nil, err
	}
	if err := p.part("etcd", p.path("etcd"), client, peer); err != nil {
		return nil, err
	}
	if err := p.part("apiserver", p.apiserverFlags(client, ports[2])...); err != nil {
		return nil, err
	}
	if err := p.wait(url, secret, authority); err != nil {
		return nil, err
	}
	common := []string{"--kubeconfig=" + p.path("kubeconfig"), "--leader-elect=false", "--bind-address=127.0.0.1"}
	manager := append([]string{
		"--service-account-private-key-file=" + p.path("accounts.key"), "--root-ca-file=" + p.path("ca.pem"),
		"--use-service-account-credentials=false", fmt.Sprintf("--secure-port=%d", ports[3]),
		"--cert-dir=" + p.path("manager"), "--kube-api-qps=200", "--kube-api-burst=400",
		// Nodes are made by whoever tests; nothing heartbeats for all of them.
		"--controllers=*,-node-lifecycle-controller,-cloud-node-lifecycle-controller,-node-ipam-controller,-node-route-controller,-service-lb-controller",
	}, common...)
	if err := p.part("controller-manager", manager...); err != nil {
		return nil, err
	}
	planner := append([]string{
		fmt.Sprintf("--secure-port=%d", ports[4]), "--cert-dir=" + p.path("scheduler"), "--kube-api-qps=200", "--kube-api-burst=400",
	}, common...)
	if err := p.part("scheduler", planner...); err != nil {
		return nil, err
	}
	return map[string]string{
		"url": url, "token": secret, "ca": p.path("ca.pem"), "kubeconfig": p.path("kubeconfig"),
	}, nil
}

func (p *plane) apiserverFlags(etcd string, port int) []string {
	return []string{
		"--etcd-servers=" + etcd, fmt.Sprintf("--secure-port=%d", port), "--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=RBAC", "--token-auth-file=" + p.path("tokens.csv"), "--anonymous-auth=false",
		"--tls-cert-file=" + p.path("server.pem"), "--tls-private-key-file=" + p.path("server.key"),
		"--service-account-issuer=https://issuer.test", "--service-account-key-file=" + p.path("accounts.pub"),
		"--service-account-signing-key-file=" + p.path("accounts.key"), "--cert-dir=" + p.path("apiserver"),
		"--max-requests-inflight=1000", "--max-mutating-requests-inflight=500",
	}
}

// part starts one part as a process of its own that does not outlive this one.
func (p *plane) part(name string, arguments ...string) error {
	log, err := os.Create(p.path(name + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	process := exec.Command(p.self, append([]string{name}, arguments...)...)
	process.Stdout, process.Stderr = log, log
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := process.Start(); err != nil {
		return err
	}
	p.parts = append(p.parts, process)
	go func() {
		err := process.Wait()
		p.ended <- fmt.Errorf("%s ended (%v): see %s", name, err, p.path(name+".log"))
	}()
	return nil
}

func (p *plane) stop() {
	for i := len(p.parts) - 1; i >= 0; i-- {
		_ = p.parts[i].Process.Kill()
	}
}

// wait waits until the API answers that it is ready.
func (p *plane) wait(url, token string, authority []byte) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		select {
		case err := <-p.ended:
			return err
		default:
		}
		request, err := http.NewRequest(http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		if answer, err := client.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the API is not ready after two minutes: see %s", p.path("apiserver.log"))
}

func (p *plane) write(name string, content []byte) error {
	return os.WriteFile(p.path(name), content, 0o600)
}

func (p *plane) kubeconfig(url, token string) error {
	config := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"clusters": []any{map[string]any{"name": "test", "cluster": map[string]any{
			"server": url, "certificate-authority": p.path("ca.pem"),
		}}},
		"users":    []any{map[string]any{"name": "admin", "user": map[string]any{"token": token}}},
		"contexts": []any{map[string]any{"name": "test", "context": map[string]any{"cluster": "test", "user": "admin"}}},
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return p.write("kubeconfig", text)
}

// certificates makes an authority, the server's certificate and the key of service accounts.
func (p *plane) certificates() ([]byte, error) {
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
	if err := p.write("ca.pem", authority); err != nil {
		return nil, err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)},
		DNSNames: []string{"localhost", "kubernetes.default.svc"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, root, &serverKey.PublicKey, key)
	if err != nil {
		return nil, err
	}
	if err := p.write("server.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: serverDER})); err != nil {
		return nil, err
	}
	if err := p.private("server.key", serverKey); err != nil {
		return nil, err
	}
	accounts, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&accounts.PublicKey)
	if err != nil {
		return nil, err
	}
	if err := p.write("accounts.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})); err != nil {
		return nil, err
	}
	return authority, p.private("accounts.key", accounts)
}

func (p *plane) private(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return p.write(name, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

// freePorts finds ports of the loopback that nobody has now.
func freePorts(count int) ([]int, error) {
	var ports []int
	var listeners []net.Listener
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, listener)
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	for _, listener := range listeners {
		_ = listener.Close()
	}
	return ports, nil
}
