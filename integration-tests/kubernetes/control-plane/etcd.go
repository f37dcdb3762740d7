package main

import (
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// etcd serves a store in dir until it is told to end. Nothing is synced: a test's store is
// thrown away with it.
func etcd(dir, client, peer string) error {
	config := embed.NewConfig()
	config.Dir = dir
	config.UnsafeNoFsync = true
	config.LogLevel = "error"
	at := func(text string) []url.URL {
		parsed, err := url.Parse(text)
		if err != nil {
			fail(err)
		}
		return []url.URL{*parsed}
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = at(client), at(client)
	config.ListenPeerUrls, config.AdvertisePeerUrls = at(peer), at(peer)
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	// A test's objects are few; compaction would only cost time.
	config.QuotaBackendBytes = 1 << 30
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-signals:
		server.Server.HardStop()
		return nil
	case err := <-server.Err():
		return err
	case <-time.After(24 * time.Hour):
		return nil
	}
}
