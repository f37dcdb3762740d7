package main

import (
	"net/url"

	"go.etcd.io/etcd/server/v3/embed"
)

// etcd serves a store in dir until it is killed. Nothing is synced: a test's store is thrown away
// with it.
func etcd(dir, client, peer string) error {
	clients, err := urls(client)
	if err != nil {
		return err
	}
	peers, err := urls(peer)
	if err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Dir = dir
	config.UnsafeNoFsync = true
	config.LogLevel = "error"
	config.ListenClientUrls, config.AdvertiseClientUrls = clients, clients
	config.ListenPeerUrls, config.AdvertisePeerUrls = peers, peers
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	return <-server.Err()
}

func urls(text string) ([]url.URL, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	return []url.URL{*parsed}, nil
}
