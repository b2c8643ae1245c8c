//go:build !js

package main

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"h5pay"
	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/edge"
	"h5pay/internal/v1"
	"h5pay/wechat"
)

const (
	domainFiles = "MP_verify_*.txt"
	// lowDisk is how much free disk space is reported.
	lowDisk = 256_000_000
	// expiresSoon is when the end of a certificate is reported.
	expiresSoon = 30 * 24 * time.Hour
)

// explain returns the texts of a cause.
func explain(id cause.ID, setting string) (zh, en *v1.CauseText) {
	row, ok := cause.Explain(id, setting)
	if !ok {
		return nil, nil
	}
	return (*v1.CauseText)(&row.ZH), (*v1.CauseText)(&row.EN)
}

// edgeResult returns a finding in the form of package v1.
func edgeResult(check cause.Check, f edge.Finding, began time.Time) v1.CheckResult {
	c := v1.CheckResult{ID: string(check), Status: v1.CheckOK, Cause: string(f.ID), Detail: f.Detail, TookMS: time.Since(began).Milliseconds()}
	switch {
	case f.Warn:
		c.Status = v1.CheckWarn
	case f.ID != "":
		c.Status = v1.CheckFail
	}
	return c
}

// outside returns the checks of a shop's address, as another machine sees it. files are the folders
// that may have the domain file.
func outside(doer edge.Doer, files ...fs.FS) func(ctx context.Context, shopURL, token string) []v1.CheckResult {
	return func(ctx context.Context, shopURL, token string) []v1.CheckResult {
		began := time.Now()
		domain := make(chan v1.CheckResult, 1)
		go func() { domain <- checkDomainFile(ctx, doer, shopURL, files) }()
		notify := edgeResult(cause.NotifyURL, edge.NotifyURL(ctx, doer, shopURL+api.PathNotifyPay, token), began)
		return []v1.CheckResult{notify, <-domain}
	}
}

// checkDomainFile compares each domain file with what the shop's address serves.
func checkDomainFile(ctx context.Context, doer edge.Doer, shopURL string, files []fs.FS) v1.CheckResult {
	began := time.Now()
	if !strings.HasPrefix(shopURL, "https:") {
		return v1.CheckResult{ID: string(cause.DomainFile), Status: v1.CheckSkipped, Detail: "the shop is on this machine, where WeChat does not read it"}
	}
	found := false
	for _, folder := range files {
		names, err := fs.Glob(folder, domainFiles)
		if err != nil {
			continue
		}
		for _, name := range names {
			want, err := fs.ReadFile(folder, name)
			if err != nil {
				continue
			}
			found = true
			if f := edge.DomainFile(ctx, doer, shopURL, name, want); f.ID != "" {
				return edgeResult(cause.DomainFile, f, began)
			}
		}
	}
	if !found {
		return v1.CheckResult{ID: string(cause.DomainFile), Status: v1.CheckWarn, Cause: string(cause.DomainFileMissing), Detail: "there is no file " + domainFiles}
	}
	return edgeResult(cause.DomainFile, edge.Finding{}, began)
}

// siteFolders returns the folders that may have the domain file.
func siteFolders(getenv func(string) string) []fs.FS {
	page, _ := h5pay.Page()
	folders := []fs.FS{page}
	if dir := getenv(filesSetting); dir != "" {
		folders = append(folders, os.DirFS(dir))
	}
	return folders
}

// addChecks gives the platform the checks that only a server can make. file is the database, "" if it
// is on another machine.
func (p *platform) addChecks(file string) {
	getenv := p.getenv
	p.explain = explain
	p.outside = outside(newClient(nil), siteFolders(getenv)...)
	p.findings = func() []v1.CheckResult {
		found := checkClientCert(getenv, time.Now())
		if file != "" {
			found = append(found, checkDisk(filepath.Dir(file))...)
		}
		return found
	}
}

// checkDisk checks the free space of the database's disk.
func checkDisk(folder string) []v1.CheckResult {
	free, ok := diskFree(folder)
	if !ok {
		return nil
	}
	return []v1.CheckResult{diskResult(free)}
}

func diskResult(free int64) v1.CheckResult {
	c := v1.CheckResult{ID: string(cause.Disk), Status: v1.CheckOK}
	if free < lowDisk {
		c.Status, c.Cause, c.Detail = v1.CheckWarn, string(cause.DiskFull), fmt.Sprintf("%d MB are free", free/1_000_000)
	}
	if free < minDisk {
		c.Status = v1.CheckFail
	}
	return c
}

// checkClientCert compares the client certificate with the settings of APIv3, and reads when it ends.
// certClient has found that its key fits.
func checkClientCert(getenv func(string) string, now time.Time) []v1.CheckResult {
	file := getenv(certSetting)
	if file == "" {
		return nil
	}
	c := v1.CheckResult{ID: string(cause.Certificate), Status: v1.CheckFail, Setting: certSetting}
	cert, err := readCertificate(file)
	v3 := loadAPIv3(getenv)
	switch {
	case err != nil:
		c.Cause, c.Detail = string(cause.SettingMalformed), err.Error()
	case v3.Serial != "" && !strings.EqualFold(fmt.Sprintf("%x", cert.SerialNumber), strings.TrimLeft(v3.Serial, "0")):
		c.Cause, c.Detail = string(cause.ClientCertMismatch), "its serial number is not that of WECHAT_MCH_SERIAL"
	case v3.MerchantKey != "" && !isKeyOf(v3.MerchantKey, cert):
		c.Cause, c.Detail = string(cause.ClientCertMismatch), "WECHAT_MCH_KEY is not its key"
	case now.After(cert.NotAfter):
		c.Cause, c.Detail = string(cause.ClientCertExpired), "it ended at "+cert.NotAfter.UTC().Format(time.RFC3339)
	case now.Add(expiresSoon).After(cert.NotAfter):
		c.Status, c.Cause, c.Detail = v1.CheckWarn, string(cause.ClientCertExpiring), "it ends at "+cert.NotAfter.UTC().Format(time.RFC3339)
	default:
		c.Status, c.Setting = v1.CheckOK, ""
	}
	return []v1.CheckResult{c}
}

// readCertificate reads the first certificate of a PEM file.
func readCertificate(file string) (*x509.Certificate, error) {
	text, err := readSettingFile(certSetting, file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("want a PEM file with a certificate, apiclient_cert.pem")
	}
	return x509.ParseCertificate(block.Bytes)
}

// isKeyOf reports whether a private key belongs to a certificate. A key that is not PEM counts as
// belonging, because the check of the settings reports it.
func isKeyOf(key wechat.Secret, cert *x509.Certificate) bool {
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return true
	}
	pair, err := tls.X509KeyPair(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), []byte(key))
	if err != nil {
		return false
	}
	_, ok := pair.PrivateKey.(*rsa.PrivateKey)
	return ok
}
