//go:build !js

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"h5pay/internal/envfile"
)

// Settings of the native server only. DB_FILE, WECHAT_CERT_FILE and WECHAT_KEY_FILE name files and have
// no setting without _FILE.
const (
	addrSetting = "LISTEN"  // host:port, default localhost:8787
	dbSetting   = "DB_FILE" // the SQLite file, default h5pay.db
	// The database of PostgreSQL, in place of the file: postgres://user:password@host/name.
	urlSetting = "DATABASE_URL"
	// The header in which a proxy sends the client's address, and the number of trusted proxies,
	// see server.Addresses. Set them only behind such a proxy; otherwise a client can forge its
	// address.
	proxySetting   = "CLIENT_IP_HEADER"
	proxiesSetting = "TRUSTED_PROXIES" // default 1
	// The merchant's client certificate and its key as PEM files, from the merchant platform:
	// apiclient_cert.pem and apiclient_key.pem. Refunds require them.
	certSetting = "WECHAT_CERT_FILE"
	keySetting  = "WECHAT_KEY_FILE"
	// A folder with files of the shop: pictures of products, MP_verify_….txt. The page's own files
	// come first.
	filesSetting = "FILES_DIR"
	// The form of the log: json, the default, or text.
	logSetting = "LOG_FORMAT"
	// host:port of the page /metrics for Prometheus. Without it there is none. Strangers must not
	// reach it.
	metricsSetting = "METRICS_LISTEN"
)

// nativeSettings are the settings of the native server only.
var nativeSettings = []string{addrSetting, dbSetting, urlSetting, filesSetting, proxySetting, proxiesSetting, certSetting, keySetting, logSetting, metricsSetting}

// fileSuffix makes the name of a setting whose value is in a file: SESSION_KEY_FILE names the file
// with the value of SESSION_KEY. Secrets of systemd and of containers are such files.
const fileSuffix = "_FILE"

// telemetryPrefix begins the names of OpenTelemetry's variables, which may stand in the file too.
const telemetryPrefix = "OTEL_"

// configFlag defines the flag -config.
func configFlag(flags *flag.FlagSet) *string {
	return flags.String("config", "", "`file` of settings, one NAME=\"value\" a line; the environment overrides it")
}

// settingNames returns the names of all settings.
func settingNames() []string {
	names := slices.Clone(nativeSettings)
	loadSettings(func(name string) string {
		names = append(names, name)
		return ""
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// hasSettings reports whether the environment has a setting of a shop.
func hasSettings(getenv func(string) string) bool {
	return slices.ContainsFunc(settingNames(), func(name string) bool {
		return getenv(name) != "" || getenv(name+fileSuffix) != ""
	})
}

// loadConfig returns a function that returns the value of a setting: the environment's, else the
// file's, else "". Without a file name there is no file. An error names a line or the settings, and never
// a value. The function is nil if the file cannot be read; with another error, which joins one for each wrong
// setting, it returns the other values.
func loadConfig(file string, getenv func(string) string) (func(string) string, error) {
	var fromFile map[string]string
	names := settingNames()
	var wrong []error
	if file != "" {
		var err error
		if fromFile, err = envfile.Read(file); err != nil {
			return nil, fmt.Errorf("reading the settings: %w", err)
		}
		for _, name := range slices.Sorted(maps.Keys(fromFile)) {
			if strings.HasPrefix(name, telemetryPrefix) {
				continue
			}
			if base := strings.TrimSuffix(name, fileSuffix); !slices.Contains(names, name) && !slices.Contains(names, base) {
				wrong = append(wrong, fmt.Errorf("%s: unknown setting %s", file, name))
			}
		}
	}
	for name, value := range fromFile {
		if strings.HasPrefix(name, telemetryPrefix) && getenv(name) == "" {
			os.Setenv(name, value) // OpenTelemetry reads the environment only
		}
	}
	values := map[string]string{}
	for _, name := range names {
		for _, source := range []func(string) string{getenv, func(name string) string { return fromFile[name] }} {
			value, path := source(name), source(name+fileSuffix)
			switch {
			case value != "" && path != "":
				wrong = append(wrong, &unreadableError{name, fmt.Errorf("settings %s and %s: want one of them", name, name+fileSuffix)})
			case path != "":
				text, err := readSettingFile(name+fileSuffix, path)
				if err != nil {
					wrong = append(wrong, &unreadableError{name, err})
				}
				value = strings.TrimRight(string(text), "\r\n")
			}
			if value != "" {
				values[name] = value
				break
			}
		}
	}
	return func(name string) string { return values[name] }, errors.Join(wrong...)
}

// readSettingFile reads the file that a setting names. The error does not show the name of the file,
// because the setting may have the secret itself by mistake.
func readSettingFile(setting, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if err != nil {
		return nil, fmt.Errorf("setting %s: want a file that this user can read: %w", setting, err)
	}
	return text, nil
}

// newLog returns the log in the format LOG_FORMAT.
func newLog(getenv func(string) string, w io.Writer) (*slog.Logger, error) {
	switch getenv(logSetting) {
	case "", "json":
		return slog.New(slog.NewJSONHandler(w, nil)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, nil)), nil
	}
	return nil, &settingError{logSetting, "must be json or text"}
}
