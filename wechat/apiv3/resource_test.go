package apiv3

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const transaction = `{"mchid":"1900007291","out_trade_no":"7752501201407033233368018","trade_state":"SUCCESS","payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}`

// callback returns a callback about a resource. The changes are applied to its
// JSON as text.
func callback(t testing.TB, key, nonce, associatedData string, replace ...string) string {
	t.Helper()
	resource := map[string]string{
		"original_type": "transaction", "algorithm": algorithmGCM, "nonce": nonce,
		"ciphertext": seal(t, key, nonce, associatedData, transaction), "associated_data": associatedData,
	}
	if associatedData == "absent" {
		resource["ciphertext"] = seal(t, key, nonce, "", transaction)
		delete(resource, "associated_data")
	}
	b, err := json.Marshal(map[string]any{
		"id": "87ff2da3-0000-5c79-b225-000000000001", "create_time": "2026-11-28T12:00:00+08:00",
		"event_type": "TRANSACTION.SUCCESS", "resource_type": "encrypt-resource", "summary": "支付成功", "resource": resource,
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(replace...).Replace(string(b))
}

func TestNotification(t *testing.T) {
	r := newReceiver(t, weChatKey(t))
	for _, associatedData := range []string{"transaction", "", "absent"} {
		body := callback(t, testAPIv3Key, "fAKcOVTdU4VI", associatedData)
		h := signed(t, wechatKeyName, testKeyID, testNow, body)
		n, err := r.Notification(t.Context(), h.get, []byte(body))
		if err != nil {
			t.Errorf("associated_data %s: %v", associatedData, err)
			continue
		}
		if string(n.Resource.Bytes()) != transaction || n.ID != "87ff2da3-0000-5c79-b225-000000000001" || n.EventType != "TRANSACTION.SUCCESS" ||
			n.OriginalType != "transaction" || !n.CreateTime.Equal(time.Date(2026, 11, 28, 4, 0, 0, 0, time.UTC)) || n.Signature.Serial != testKeyID {
			t.Errorf("associated_data %s: got %+v, %s", associatedData, n, string(n.Resource.Bytes()))
		}
	}
}

// A signed callback that is not as documented is rejected, with the field.
func TestNotificationRejects(t *testing.T) {
	r := newReceiver(t, weChatKey(t))
	const nonce = "fAKcOVTdU4VI"
	good := callback(t, testAPIv3Key, nonce, "transaction")
	sealed := seal(t, testAPIv3Key, nonce, "transaction", transaction)
	changed := func(pairs ...string) string { return callback(t, testAPIv3Key, nonce, "transaction", pairs...) }
	for name, test := range map[string]struct {
		body  string
		kind  Kind
		field string
	}{
		"empty":                {"", Malformed, "body"},
		"HTML":                 {"<html>", Malformed, "body"},
		"cut":                  {good[:len(good)-1], Malformed, "body"},
		"an array":             {"[]", Malformed, "body"},
		"null":                 {"null", Malformed, "id"},
		"two objects":          {good + good, Malformed, "body"},
		"too long":             {`{"id":"` + strings.Repeat("1", maxMessage) + `"}`, Malformed, "body"},
		"no id":                {changed(`"id"`, `"no"`), Malformed, "id"},
		"id with a break":      {changed(`"id":"87`, `"id":"\n87`), Malformed, "id"},
		"no event_type":        {changed("TRANSACTION.SUCCESS", ""), Malformed, "event_type"},
		"no resource":          {changed(`"resource":`, `"no":`), Malformed, "resource"},
		"resource is a text":   {changed(`"resource":{`, `"resource":"","no":{`), Malformed, "body"},
		"another type":         {changed("encrypt-resource", "resource"), Malformed, "resource_type"},
		"long original_type":   {changed(`"original_type":"`, `"original_type":"`+strings.Repeat("x", 64)), Malformed, "resource.original_type"},
		"time without zone":    {changed("+08:00", ""), Malformed, "create_time"},
		"another algorithm":    {changed(algorithmGCM, "AEAD_SM4_GCM"), Undecryptable, "resource.algorithm"},
		"no algorithm":         {changed(algorithmGCM, ""), Undecryptable, "resource.algorithm"},
		"nonce of 11 bytes":    {changed(nonce, nonce[1:]), Undecryptable, "resource.nonce"},
		"nonce of 16 bytes":    {changed(nonce, nonce+"aaaa"), Undecryptable, "resource.nonce"},
		"no nonce":             {changed(nonce, ""), Undecryptable, "resource.nonce"},
		"another nonce":        {changed(nonce, "fAKcOVTdU4VJ"), Undecryptable, "resource.ciphertext"},
		"no associated_data":   {changed(`"associated_data"`, `"no"`), Undecryptable, "resource.ciphertext"},
		"other associated":     {changed(`"associated_data":"transaction"`, `"associated_data":"refund"`), Undecryptable, "resource.ciphertext"},
		"long associated_data": {changed(`"associated_data":"`, `"associated_data":"`+strings.Repeat("x", maxAssociatedData)), Undecryptable, "resource.associated_data"},
		"no ciphertext":        {changed(sealed, ""), Undecryptable, "resource.ciphertext"},
		"only a part":          {changed(sealed, "AAAA"), Undecryptable, "resource.ciphertext"},
		"no base64":            {changed(sealed, "!"+sealed[1:]), Undecryptable, "resource.ciphertext"},
		"base64 of URLs":       {changed(sealed, "-_"+sealed[2:]), Undecryptable, "resource.ciphertext"},
		"base64 with breaks":   {changed(sealed, sealed[:4]+`\n`+sealed[4:]), Undecryptable, "resource.ciphertext"},
		"base64 without end":   {changed(sealed, strings.TrimRight(sealed, "=")[:len(sealed)-5]), Undecryptable, "resource.ciphertext"},
		"long ciphertext":      {changed(sealed, strings.Repeat("A", maxCiphertext+4)), Undecryptable, "resource.ciphertext"},
		"another APIv3 key":    {callback(t, "0123456789abcdef0123456789abcdef", nonce, "transaction"), Undecryptable, "resource.ciphertext"},
	} {
		t.Run(name, func(t *testing.T) {
			h := signed(t, wechatKeyName, testKeyID, testNow, test.body)
			n, err := r.Notification(t.Context(), h.get, []byte(test.body))
			wantKind(t, err, test.kind, test.field)
			if n.ID != "" || n.Resource.Bytes() != nil {
				t.Errorf("got %+v", n)
			}
		})
	}
	// The signature is checked first: a stranger learns nothing about the rest.
	_, err := r.Notification(t.Context(), headers{}.get, []byte(good))
	wantKind(t, err, Unsigned, HeaderSignature)
	h := signed(t, wechatKeyName, testKeyID, testNow, good)
	_, err = r.Notification(t.Context(), h.get, []byte(changed("+08:00", "")))
	wantKind(t, err, Forged, HeaderSignature)
}

func TestLongCiphertextIsNotDecoded(t *testing.T) {
	_, err := decrypt(Resource{
		Algorithm: algorithmGCM, Nonce: "fAKcOVTdU4VI", Ciphertext: strings.Repeat("A", maxCiphertext+4),
	}, [][]byte{[]byte(testAPIv3Key)})
	if err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("got %v", err)
	}
}

// Strict base64 has one text for one content.
func TestBase64IsStrict(t *testing.T) {
	const nonce = "fAKcOVTdU4VI"
	for _, text := range []string{"a", "ab", "abc"} { // one of them ends with "=="
		sealed := seal(t, testAPIv3Key, nonce, "", text)
		if !strings.HasSuffix(sealed, "==") {
			continue
		}
		last := sealed[len(sealed)-3]
		other := sealed[:len(sealed)-3] + string(last+1) + "==" // bits that do not count
		if _, err := decrypt(Resource{Algorithm: algorithmGCM, Nonce: nonce, Ciphertext: other}, [][]byte{[]byte(testAPIv3Key)}); err == nil {
			t.Errorf("%s passed for %s", other, sealed)
		}
		return
	}
	t.Error("no text for the test")
}

// While the APIv3 key is changed, both keys decrypt.
func TestOldAPIv3Key(t *testing.T) {
	const old = "0123456789abcdef0123456789abcdef"
	r, err := NewReceiver(ReceiverConfig{
		Keys: keySet(t, weChatKey(t)), APIv3Key: testAPIv3Key, APIv3KeyOld: old, Now: func() time.Time { return testNow },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{testAPIv3Key, old} {
		body := callback(t, key, "fAKcOVTdU4VI", "transaction")
		h := signed(t, wechatKeyName, testKeyID, testNow, body)
		if n, err := r.Notification(t.Context(), h.get, []byte(body)); err != nil || string(n.Resource.Bytes()) != transaction {
			t.Errorf("%v", err)
		}
	}
}

// certificates returns the response to GET /v3/certificates with certificates, by
// their serials.
func certificates(t testing.TB, associatedData string, bySerial map[string]string) string {
	t.Helper()
	var data []map[string]any
	for serial, pem := range bySerial {
		data = append(data, map[string]any{
			"serial_no": serial, "effective_time": "2026-01-01T00:00:00+08:00", "expire_time ": "2031-01-01T00:00:00+08:00",
			"encrypt_certificate": map[string]string{
				"algorithm": algorithmGCM, "nonce": "14b16c03dc1b", "associated_data": associatedData,
				"ciphertext": seal(t, testAPIv3Key, "14b16c03dc1b", associatedData, pem),
			},
		})
	}
	b, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// At the first download no key is known. The next response has a second certificate, and may be
// signed by either certificate or by the public key.
func TestCertificates(t *testing.T) {
	from, to := testNow.AddDate(-1, 0, 0), testNow.AddDate(4, 0, 0)
	one := certify(t, private(t, wechatKeyName), "A1", from, to)
	two := certify(t, private(t, merchantKeyName), "A2", testNow.Add(time.Hour), to)
	r := newReceiver(t)

	body := certificates(t, "certificate", map[string]string{"A1": one})
	h := signed(t, wechatKeyName, "A1", testNow, body)
	list, err := r.Certificates(t.Context(), h.get, []byte(body))
	if err != nil || len(list) != 1 || list[0].Key.ID != "A1" || list[0].PEM != one || !list[0].Key.NotAfter.Equal(to) {
		t.Fatalf("got %+v, %v", list, err)
	}
	if len(r.Keys().Keys()) != 0 {
		t.Error("Certificates replaced the keys")
	}
	stored, err := NewPlatformKey(list[0].PEM)
	if err != nil || stored.ID != "A1" {
		t.Fatalf("stored: %+v, %v", stored, err)
	}
	r.Replace(keySet(t, weChatKey(t), stored))

	body = certificates(t, "certificate", map[string]string{"A1": one, "A2": two})
	for _, serial := range []string{"A1", testKeyID} {
		h = signed(t, wechatKeyName, serial, testNow, body)
		if list, err = r.Certificates(t.Context(), h.get, []byte(body)); err != nil || len(list) != 2 {
			t.Errorf("%s: got %+v, %v", serial, list, err)
		}
	}
	// The second is not valid yet, so it signs nothing.
	h = signed(t, merchantKeyName, "A2", testNow, body)
	_, err = r.Certificates(t.Context(), h.get, []byte(body))
	wantKind(t, err, UnknownSerial, HeaderSerial)
}

func TestCertificatesRejects(t *testing.T) {
	from, to := testNow.AddDate(-1, 0, 0), testNow.AddDate(4, 0, 0)
	one := certify(t, private(t, wechatKeyName), "A1", from, to)
	good := certificates(t, "certificate", map[string]string{"A1": one})
	many := map[string]string{}
	for _, serial := range strings.Split("A1 A2 A3 A4 A5 A6 A7 A8 A9", " ") {
		many[serial] = one
	}
	list := good[len(`{"data":[`) : len(good)-2]
	for name, test := range map[string]struct {
		body  string
		kind  Kind
		field string
	}{
		"empty":                            {"", Malformed, "body"},
		"too long":                         {strings.Repeat(" ", maxMessage) + good, Malformed, "body"},
		"no certificate":                   {`{"data":[]}`, Malformed, "data"},
		"nine certificates":                {certificates(t, "certificate", many), Malformed, "data"},
		"no resource":                      {`{"data":[{"serial_no":"A1"}]}`, Malformed, "encrypt_certificate"},
		"another resource":                 {certificates(t, "transaction", map[string]string{"A1": one}), Malformed, "encrypt_certificate"},
		"resource without associated_data": {certificates(t, "", map[string]string{"A1": one}), Malformed, "encrypt_certificate"},
		"another serial":                   {certificates(t, "certificate", map[string]string{"A2": one}), Malformed, "serial_no"},
		"twice the same":                   {`{"data":[` + list + "," + list + `]}`, Malformed, "data"},
		"no PEM in it":                     {certificates(t, "certificate", map[string]string{"A1": "x"}), Malformed, "encrypt_certificate"},
		"a private key":                    {certificates(t, "certificate", map[string]string{"A1": vectorPEM(t, wechatKeyName)}), Malformed, "encrypt_certificate"},
		"changed":                          {strings.Replace(good, `"nonce":"1`, `"nonce":"2`, 1), Undecryptable, "resource.ciphertext"},
	} {
		t.Run(name, func(t *testing.T) {
			h := signed(t, wechatKeyName, "A1", testNow, test.body)
			got, err := newReceiver(t).Certificates(t.Context(), h.get, []byte(test.body))
			wantKind(t, err, test.kind, test.field)
			if got != nil {
				t.Errorf("got %v", got)
			}
			if err != nil {
				wantNothingOf(t, vectorPEM(t, wechatKeyName), err.Error())
			}
		})
	}
	// The certificates are valid, and the signature is not: an attacker repeats an old response, or
	// another list.
	for name, test := range map[string]struct {
		h    headers
		kind Kind
	}{
		"forged": {signed(t, merchantKeyName, "A1", testNow, good), Forged},
		"probe":  {signed(t, wechatKeyName, "A1", testNow, good).with(HeaderSignature, probePrefix), Probe},
	} {
		_, err := newReceiver(t).Certificates(t.Context(), test.h.get, []byte(good))
		wantKind(t, err, test.kind, HeaderSignature)
		if err == nil {
			t.Error(name)
		}
	}
	old := signed(t, wechatKeyName, "A1", testNow.Add(-time.Hour), good)
	_, err := newReceiver(t).Certificates(t.Context(), old.get, []byte(good))
	wantKind(t, err, Stale, HeaderTimestamp)
}
