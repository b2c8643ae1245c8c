package wechattest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The files of WriteV3, in addition to KeyFile, CertFile and one file for each platform
// certificate, wechatpay_<serial>.pem.
const (
	PublicKeyFile = "pub_key.pem"
	V3File        = "v3.txt"
)

// WriteV3 writes the merchant's files for APIv3 into a directory, which it makes if needed. They
// are the merchant's key and certificate, WeChat's public key, the platform certificates, and
// V3File with the other values. The names are those of the merchant platform. CertFile and KeyFile
// are not those of WriteCertificates, which refunds of APIv2 need.
func (w *WeChat) WriteV3(dir string) error {
	id := w.V3()
	type file struct {
		name, text string
		mode       os.FileMode
	}
	files := []file{
		{KeyFile, id.PrivateKey, 0o600},
		{CertFile, id.Certificate, 0o644},
		{V3File, id.text(), 0o600},
	}
	if id.PublicKey != "" {
		files = append(files, file{PublicKeyFile, id.PublicKey, 0o644})
	}
	for _, c := range id.Certificates {
		files = append(files, file{"wechatpay_" + c.Serial + ".pem", c.PEM, 0o644})
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing the keys of APIv3: %w", err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.text), f.mode); err != nil {
			return fmt.Errorf("writing the keys of APIv3: %w", err)
		}
	}
	return nil
}

// text lists the values, name=value one a line.
func (id V3Identity) text() string {
	var b strings.Builder
	b.WriteString("# The merchant's side of APIv3 at the simulated WeChat. These keys open nothing elsewhere.\n")
	for _, v := range []pair{
		{"mode", string(id.Mode)}, {"mchid", id.MchID}, {"apiv3_key", id.APIv3Key}, {"serial_no", id.Serial},
		{"private_key_file", KeyFile}, {"certificate_file", CertFile},
	} {
		b.WriteString(v.name + "=" + v.value + "\n")
	}
	if id.PublicKeyID != "" {
		b.WriteString("public_key_id=" + id.PublicKeyID + "\npublic_key_file=" + PublicKeyFile + "\n")
	}
	for _, c := range id.Certificates {
		b.WriteString("platform_certificate_file=wechatpay_" + c.Serial + ".pem\n")
	}
	return b.String()
}
