//go:build !js

package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"h5pay/internal/store/postgres"
)

// startError returns nil if the settings let the server start. Otherwise it returns the errors of all wrong
// settings, also of those with which it would start and answer 503. config is the error of loadConfig.
func startError(getenv func(string) string, config error) error {
	stops := errors.Join(config, ownErrors(getenv), databaseError(getenv))
	if stops == nil {
		return nil
	}
	_, proxies := proxyAddresses(getenv)
	_, shop := loadSettings(getenv)
	return joinSettingErrors(shop, errors.Join(stops, proxies))
}

// ownErrors returns the errors of the server's own settings with which it does not start. Those of the database
// are not among them.
func ownErrors(getenv func(string) string) error {
	_, logErr := newLog(getenv, io.Discard)
	_, certErr := certClient(getenv)
	_, filesErr := siteFiles(getenv, slog.New(slog.DiscardHandler))
	return errors.Join(addressError(getenv, addrSetting, "localhost:8787"), addressError(getenv, metricsSetting, "localhost:9464"), logErr, certErr, filesErr)
}

// addressError checks the form of an address on which the server listens. Only listening shows whether it is
// free.
func addressError(getenv func(string) string, setting, example string) error {
	address := getenv(setting)
	if address == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return &settingError{setting, "must be host:port, like " + example}
	}
	return nil
}

// databaseError checks the settings of the database without a connection.
func databaseError(getenv func(string) string) error {
	url, file := getenv(urlSetting), databaseFile(getenv)
	if url == "" {
		info, err := os.Stat(file)
		folder, folderErr := os.Stat(filepath.Dir(file))
		if err == nil && info.IsDir() || err != nil && (folderErr != nil || !folder.IsDir()) {
			return &settingError{dbSetting, "must be a SQLite file that this user can write"}
		}
		return nil
	}
	if getenv(dbSetting) != "" {
		return errTwoDatabases
	}
	if _, _, err := postgres.Connector(postgres.Config{URL: url}); err != nil {
		return databaseURLError(err)
	}
	return nil
}
