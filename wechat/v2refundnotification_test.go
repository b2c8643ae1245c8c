package wechat

import (
	"bytes"
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// refundVector is a req_info made by another program, which testdata/refunds.json names.
type refundVector struct {
	Name      string
	Key       string
	ReqInfo   string `json:"req_info"`
	Plaintext string
}

func readRefundVectors(t testing.TB) []refundVector {
	t.Helper()
	b, err := os.ReadFile("testdata/refunds.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []refundVector
	if err := json.Unmarshal(b, &vs); err != nil || len(vs) < 6 {
		t.Fatalf("%d vectors, %v", len(vs), err)
	}
	return vs
}

// notifying is a refund notification around a req_info.
func notifying(reqInfo string) message {
	return message{"return_code": "SUCCESS", "appid": testAppID, "mch_id": testMchID, "nonce_str": "n", "req_info": reqInfo}
}

// inner is the secret part of the notification.
func inner() message {
	return message{
		"transaction_id": "4200000000202603010000000001", "out_trade_no": testNo, "out_refund_no": testRefundNo,
		"refund_id": "50000000002026030100000000001", "total_fee": "880", "refund_fee": "300", "settlement_refund_fee": "250",
		"refund_status": "SUCCESS", "success_time": "2026-03-01 07:30:15", "refund_recv_accout": "支付用户零钱", "refund_request_source": "API",
	}
}

// root writes the secret part.
func (m message) root() string {
	return strings.NewReplacer("<xml>", "<root>", "</xml>", "</root>").Replace(m.xml())
}

// encrypt makes a req_info of blocks that are not padded here.
func encrypt(padded []byte, key string) string {
	block, err := aes.NewCipher(fmt.Appendf(nil, "%x", md5.Sum([]byte(key))))
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(padded))
	for i := 0; i+16 <= len(padded); i += 16 {
		block.Encrypt(out[i:], padded[i:])
	}
	return base64.StdEncoding.EncodeToString(out)
}

func pad(text string) []byte {
	n := 16 - len(text)%16
	return append([]byte(text), bytes.Repeat([]byte{byte(n)}, n)...)
}

func TestDecryptGivesThePublishedTexts(t *testing.T) {
	for _, v := range readRefundVectors(t) {
		text, ok := decryptECB(v.ReqInfo, Secret(v.Key))
		if !ok || string(text) != v.Plaintext {
			t.Errorf("%s: %v\n%s", v.Name, ok, text)
		}
		if text, ok := decryptECB(v.ReqInfo, "another-key-another-key-another-"); ok && string(text) == v.Plaintext {
			t.Errorf("%s: another key does as well", v.Name)
		}
	}
}

func TestParseRefund(t *testing.T) {
	success := Refund{
		Version:    V2,
		OutTradeNo: testNo, OutRefundNo: testRefundNo, TransactionID: "4200000000202603010000000001", RefundID: "50000000002026030100000000001",
		Total: 880, Amount: 300, State: RefundSuccess, RefundedAt: time.Date(2026, 2, 28, 23, 30, 15, 0, time.UTC),
	}
	change, closed := success, success
	change.State, change.RefundedAt = RefundAbnormal, time.Time{}
	closed.State, closed.RefundedAt = RefundClosed, time.Time{}
	want := map[string]Refund{
		"success": success, "change": change, "closed": closed, "a block of padding": success, "key digest begins with zeroes": success,
		"published by two SDKs": {
			Version:    V2,
			OutTradeNo: "4893e76d8c8b434cb64e9cd536338e33", OutRefundNo: "50fd012ed1b311e7af7800163e32c503",
			TransactionID: "4200000015201711256947025404", RefundID: "50000404922017112502468056157",
			Total: 6, Amount: 6, State: RefundSuccess, RefundedAt: time.Date(2017, 11, 25, 7, 36, 17, 0, time.UTC),
		},
	}
	for _, v := range readRefundVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			c, _ := newClient(t, unread(t), func(cfg *Config) { cfg.APIKey = Secret(v.Key) })
			got, err := c.ParseRefund([]byte(notifying(v.ReqInfo).xml()))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[v.Name], got); diff != "" {
				t.Errorf("refund (-want +got):\n%s", diff)
			}
		})
	}
	// Fields that WeChat may add, and line breaks.
	c, _ := newClient(t, unread(t))
	reqInfo := encrypt(pad(inner().with("new_field", "1 & 2", "cash_refund_fee", "250").root()), testKey)
	for name, m := range map[string]message{
		"new fields":   notifying(reqInfo).with("return_msg", "OK", "new_field", "x"),
		"broken lines": notifying(reqInfo[:76] + "\r\n" + reqInfo[76:] + "\n"),
	} {
		if got, err := c.ParseRefund([]byte(m.xml())); err != nil || got != success {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestParseRefundRejectsForgeries(t *testing.T) {
	good := encrypt(pad(inner().root()), testKey)
	m := notifying(good)
	raw, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	spaced := inner().root()
	spaced += strings.Repeat(" ", 16-len(spaced)%16) // whole blocks
	plain := func(text string) string { return notifying(encrypt(pad(text), testKey)).xml() }
	bodies := map[string]string{
		"nothing":               "",
		"HTML":                  "<html></html>",
		"DOCTYPE":               "<!DOCTYPE a>" + m.xml(),
		"a payment":             paid().signed(SignHMAC),
		"other appid":           m.with("appid", "wxffffffffffffffff").xml(),
		"other mch_id":          m.with("mch_id", "1230000110").xml(),
		"no appid":              m.with("appid", "-").xml(),
		"no mch_id":             m.with("mch_id", "-").xml(),
		"FAIL":                  m.with("return_code", "FAIL").xml(),
		"no return_code":        m.with("return_code", "-").xml(),
		"no req_info":           m.with("req_info", "-").xml(),
		"empty req_info":        m.with("req_info", "").xml(),
		"not base64":            m.with("req_info", "!!!!").xml(),
		"base64url":             m.with("req_info", strings.NewReplacer("+", "-", "/", "_").Replace(good)+"-_").xml(),
		"in the clear":          m.with("req_info", b64([]byte(inner().root()))).xml(),
		"a byte short":          m.with("req_info", b64(raw[:len(raw)-1])).xml(),
		"a byte":                m.with("req_info", b64(raw[:1])).xml(),
		"a block short":         m.with("req_info", b64(raw[:len(raw)-16])).xml(),
		"first block only":      m.with("req_info", b64(raw[:16])).xml(),
		"last block only":       m.with("req_info", b64(raw[len(raw)-16:])).xml(),
		"blocks in reverse":     m.with("req_info", b64(append(append([]byte{}, raw[16:32]...), append(append([]byte{}, raw[:16]...), raw[32:]...)...))).xml(),
		"a bit changed":         m.with("req_info", b64(append([]byte{raw[0] ^ 1}, raw[1:]...))).xml(),
		"another key":           notifying(encrypt(pad(inner().root()), "another-key-another-key-another-")).xml(),
		"the key itself":        notifying(encryptWith(pad(inner().root()), testKey)).xml(),
		"padding of nought":     notifying(encrypt(append([]byte(strings.Repeat(" ", 31)), 0), testKey)).xml(),
		"padding of 17":         notifying(encrypt(bytes.Repeat([]byte{17}, 32), testKey)).xml(),
		"padding of two blocks": notifying(encrypt(append([]byte(spaced), bytes.Repeat([]byte{32}, 32)...), testKey)).xml(),
		"padding broken":        notifying(encrypt(append([]byte(spaced+strings.Repeat(" ", 13)), 1, 2, 3), testKey)).xml(),
		"padding only":          notifying(encrypt(bytes.Repeat([]byte{16}, 16), testKey)).xml(),
		"inner xml":             plain(inner().xml()),
		"inner DOCTYPE":         plain(`<!DOCTYPE root [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + inner().root()),
		"inner repeated":        plain(strings.Replace(inner().root(), "<root>", "<root><refund_fee>1</refund_fee>", 1)),
		"inner twice":           plain(inner().root() + inner().root()),
		"inner JSON":            plain(`{"refund_status":"SUCCESS"}`),
		"inner not UTF-8":       plain("<root><a>\xff</a></root>"),
		"no state":              plain(inner().with("refund_status", "-").root()),
		"odd time":              plain(inner().with("success_time", "yesterday").root()),
		"too long":              m.with("nonce_str", strings.Repeat("x", maxMessage)).xml(),
		"repeated on the skin":  strings.Replace(m.xml(), "<xml>", "<xml><req_info>x</req_info>", 1),
	}
	for name, m := range badRefunds(inner(), "") {
		bodies[name] = plain(m.root())
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, unread(t))
			got, err := c.ParseRefund([]byte(body))
			wantError(t, err, Untrusted, "")
			if got != (Refund{}) {
				t.Errorf("%+v was returned with the error", got)
			}
		})
	}
}

// encryptWith encrypts with the API key in place of its MD5.
func encryptWith(padded []byte, key string) string {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(padded))
	for i := 0; i+16 <= len(padded); i += 16 {
		block.Encrypt(out[i:], padded[i:])
	}
	return base64.StdEncoding.EncodeToString(out)
}

// The error shows a stranger nothing about the decrypted blocks.
func TestParseRefundDoesNotReportPadding(t *testing.T) {
	seen := map[string]bool{}
	for _, reqInfo := range []string{
		"", "!", "AAAA", encrypt(bytes.Repeat([]byte{17}, 32), testKey), encrypt(pad("x"), testKey), encrypt(pad("<root>"), testKey),
		encrypt(pad("<!DOCTYPE a><root></root>"), testKey), encrypt(pad(inner().root()), "another-key-another-key-another-"),
	} {
		c, _ := newClient(t, unread(t))
		_, err := c.ParseRefund([]byte(notifying(reqInfo).xml()))
		seen[wantError(t, err, Untrusted, "").Error()] = true
	}
	if len(seen) != 1 {
		t.Errorf("the errors differ: %v", seen)
	}
}

// A refund notification proves nothing: blocks of two genuine messages make a third that WeChat
// never sent. If a change of the code makes this test fail, change the comment of parseRefund too.
func TestParseRefundCannotDetectJoinedBlocks(t *testing.T) {
	blocks := func(m message) []byte {
		b, err := base64.StdEncoding.DecodeString(encrypt(pad(m.root()), testKey))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	mine, other := blocks(inner()), blocks(inner().with("refund_fee", "880", "out_refund_no", "R-20260301_9999"))
	at := strings.Index(inner().root(), "<refund_fee>300") / 16 * 16
	joined := bytes.Clone(mine)
	copy(joined[at:at+32], other[at:at+32])
	c, _ := newClient(t, unread(t))
	got, err := c.ParseRefund([]byte(notifying(base64.StdEncoding.EncodeToString(joined)).xml()))
	if err != nil || got.Amount != 880 || got.OutRefundNo != testRefundNo {
		t.Errorf("%+v, %v", got, err)
	}
}
