package apiv3

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const answer = `{"prepay_id":"wx201410272009395522657a690389285100"}`

func TestVerify(t *testing.T) {
	r := newReceiver(t, weChatKey(t))
	good := signed(t, wechatKeyName, testKeyID, testNow, answer)
	seconds := func(d time.Duration) string { return strconv.FormatInt(testNow.Add(d).Unix(), 10) }
	foreign := signed(t, merchantKeyName, testKeyID, testNow, answer)
	for name, test := range map[string]struct {
		h     headers
		body  string
		kind  Kind
		field string
	}{
		"no signature":             {good.with(HeaderSignature, ""), answer, Unsigned, HeaderSignature},
		"no time":                  {good.with(HeaderTimestamp, ""), answer, Unsigned, HeaderTimestamp},
		"no nonce":                 {good.with(HeaderNonce, ""), answer, Unsigned, HeaderNonce},
		"no serial":                {good.with(HeaderSerial, ""), answer, Unsigned, HeaderSerial},
		"no header at all":         {headers{}, answer, Unsigned, HeaderSignature},
		"another signature type":   {good.with(HeaderSignatureType, "WECHATPAY2-SM2-WITH-SM3"), answer, Unsigned, HeaderSignatureType},
		"time with a sign":         {good.with(HeaderTimestamp, "+"+seconds(0)), answer, Unsigned, HeaderTimestamp},
		"time in milliseconds":     {good.with(HeaderTimestamp, seconds(0)+"000"), answer, Unsigned, HeaderTimestamp},
		"time is a word":           {good.with(HeaderTimestamp, "now"), answer, Unsigned, HeaderTimestamp},
		"nonce with a line feed":   {good.with(HeaderNonce, "a\nb"), answer, Unsigned, HeaderNonce},
		"serial with a blank":      {good.with(HeaderSerial, testKeyID+" "), answer, Unsigned, HeaderSerial},
		"probe":                    {good.with(HeaderSignature, probePrefix+good.get(HeaderSignature)), answer, Probe, HeaderSignature},
		"probe that is no base64":  {good.with(HeaderSignature, probePrefix+"!"), answer, Probe, HeaderSignature},
		"probe of another serial":  {good.with(HeaderSignature, probePrefix).with(HeaderSerial, "ABC"), answer, Probe, HeaderSignature},
		"changed body":             {good, answer + " ", Forged, HeaderSignature},
		"no body":                  {good, "", Forged, HeaderSignature},
		"changed time":             {good.with(HeaderTimestamp, seconds(time.Second)), answer, Forged, HeaderSignature},
		"changed nonce":            {good.with(HeaderNonce, "d824f2e086d3c1df967785d13fcd22ee"), answer, Forged, HeaderSignature},
		"signed with another key":  {foreign, answer, Forged, HeaderSignature},
		"signature is no base64":   {good.with(HeaderSignature, "!"), answer, Forged, HeaderSignature},
		"signature with a break":   {good.with(HeaderSignature, good.get(HeaderSignature)[:100]+"\n"+good.get(HeaderSignature)[100:]), answer, Forged, HeaderSignature},
		"signature without its =":  {good.with(HeaderSignature, strings.TrimRight(good.get(HeaderSignature), "=")), answer, Forged, HeaderSignature},
		"signature too short":      {good.with(HeaderSignature, "AAAA"), answer, Forged, HeaderSignature},
		"signature of zeros":       {good.with(HeaderSignature, base64.StdEncoding.EncodeToString(make([]byte, 256))), answer, Forged, HeaderSignature},
		"serial of no key":         {good.with(HeaderSerial, "PUB_KEY_ID_1"), answer, UnknownSerial, HeaderSerial},
		"serial of no certificate": {good.with(HeaderSerial, testSerial), answer, UnknownSerial, HeaderSerial},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.Verify(t.Context(), test.h.get, []byte(test.body))
			wantKind(t, err, test.kind, test.field)
			if got != (Signature{}) {
				t.Errorf("got %+v", got)
			}
			if err != nil && len(test.h.get(HeaderSignature)) > 20 {
				wantNothingOf(t, test.h.get(HeaderSignature)+" "+answer, err.Error())
			}
		})
	}
	want := Signature{testKeyID, testNow, "d824f2e086d3c1df967785d13fcd22ef"}
	for name, h := range map[string]headers{"with a type": good, "without a type": good.with(HeaderSignatureType, "")} {
		if got, err := r.Verify(t.Context(), h.get, []byte(answer)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	// http.Header.Get is a Header.
	h := http.Header{}
	for name, value := range good {
		h.Set(name, value)
	}
	if _, err := r.Verify(t.Context(), h.Get, []byte(answer)); err != nil {
		t.Error(err)
	}
}

// The clocks may differ by less than five minutes, in both directions.
func TestWindow(t *testing.T) {
	r := newReceiver(t, weChatKey(t))
	for d, ok := range map[time.Duration]bool{
		0: true, -299 * time.Second: true, 299 * time.Second: true,
		-300 * time.Second: false, 300 * time.Second: false, -24 * time.Hour: false, 24 * time.Hour: false,
	} {
		h := signed(t, wechatKeyName, testKeyID, testNow.Add(d), answer)
		_, err := r.Verify(t.Context(), h.get, []byte(answer))
		if ok && err != nil {
			t.Errorf("%s: %v", d, err)
		}
		if !ok {
			wantKind(t, err, Stale, HeaderTimestamp)
		}
	}
	h := signed(t, wechatKeyName, testKeyID, testNow, answer).with(HeaderTimestamp, "99999999999")
	_, err := r.Verify(t.Context(), h.get, []byte(answer))
	wantKind(t, err, Stale, HeaderTimestamp)
	h = h.with(HeaderTimestamp, "0")
	_, err = r.Verify(t.Context(), h.get, []byte(answer))
	wantKind(t, err, Stale, HeaderTimestamp)
}

// With several keys each message is verified by its own serial, in any case and with leading zeros.
// A certificate verifies only while it is valid.
func TestKeyIsChosenBySerial(t *testing.T) {
	platform := func(key, serial string, from, to time.Time) Key {
		k, err := NewPlatformKey(certify(t, private(t, key), serial, from, to))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	r := newReceiver(t, weChatKey(t),
		platform(merchantKeyName, "0AB1", testNow.AddDate(-1, 0, 0), testNow.AddDate(0, 0, 1)),
		platform(merchantKeyName, "0AB2", testNow.AddDate(-5, 0, 0), testNow.Add(-time.Second)),
		platform(merchantKeyName, "0AB3", testNow.Add(time.Second), testNow.AddDate(5, 0, 0)))
	for _, test := range []struct {
		key, serial string
		kind        Kind // -1 when it verifies
	}{
		{wechatKeyName, testKeyID, -1}, {merchantKeyName, "AB1", -1}, {merchantKeyName, "0AB1", -1}, {merchantKeyName, "0ab1", -1},
		{merchantKeyName, testKeyID, Forged}, {wechatKeyName, "AB1", Forged},
		{merchantKeyName, "AB2", UnknownSerial}, {merchantKeyName, "AB3", UnknownSerial}, {merchantKeyName, "AB4", UnknownSerial},
	} {
		_, err := r.Verify(t.Context(), signed(t, test.key, test.serial, testNow, answer).get, []byte(answer))
		if test.kind < 0 {
			if err != nil {
				t.Errorf("%s: %v", test.serial, err)
			}
			continue
		}
		wantKind(t, err, test.kind, map[Kind]string{Forged: HeaderSignature, UnknownSerial: HeaderSerial}[test.kind])
	}
}

func TestPreferredSerial(t *testing.T) {
	old := Key{ID: "A1", Public: weChatKey(t).Public, NotAfter: testNow.Add(-time.Second)}
	next := Key{ID: "A2", Public: weChatKey(t).Public, NotBefore: testNow.Add(time.Hour)}
	for _, test := range []struct {
		keys []Key
		want string
	}{
		{nil, ""}, {[]Key{old, next}, ""}, {[]Key{old, weChatKey(t)}, testKeyID}, {[]Key{weChatKey(t), next}, testKeyID},
	} {
		if got := newReceiver(t, test.keys...).PreferredSerial(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestKeySetConfig(t *testing.T) {
	k := weChatKey(t)
	many := make([]Key, maxKeys+1)
	for i := range many {
		many[i] = Key{ID: "PUB_KEY_ID_" + strconv.Itoa(i), Public: k.Public}
	}
	for name, keys := range map[string][]Key{
		"twice": {k, k}, "no ID": {{Public: k.Public}}, "no key": {{ID: testKeyID}}, "malformed ID": {{ID: "x y", Public: k.Public}}, "too many": many,
		"twice in another case": {{ID: "AB", Public: k.Public}, {ID: "0ab", Public: k.Public}},
	} {
		if _, err := NewKeySet(nil, keys...); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			wantKind(t, err, BadConfig, "Keys")
		}
	}
	got := keySet(t, many[:maxKeys]...).Keys()
	if len(got) != maxKeys || got[0].ID != "PUB_KEY_ID_0" || !got[0].Public.Equal(k.Public) {
		t.Errorf("got %v", got)
	}
}

func TestReceiverConfig(t *testing.T) {
	for name, test := range map[string]struct {
		cfg   ReceiverConfig
		field string
		words string
	}{
		"no keys":       {ReceiverConfig{APIv3Key: testAPIv3Key}, "Keys", "are missing"},
		"no APIv3 key":  {ReceiverConfig{Keys: keySet(t)}, "APIv3Key", "is missing"},
		"too short":     {ReceiverConfig{Keys: keySet(t), APIv3Key: Secret(testAPIv3Key[1:])}, "APIv3Key", "has 31 bytes"},
		"too long":      {ReceiverConfig{Keys: keySet(t), APIv3Key: testAPIv3Key + "x"}, "APIv3Key", "has 33 bytes"},
		"a line break":  {ReceiverConfig{Keys: keySet(t), APIv3Key: testAPIv3Key + "\n"}, "APIv3Key", "begins or ends with a blank"},
		"a sign in it":  {ReceiverConfig{Keys: keySet(t), APIv3Key: Secret(testAPIv3Key[1:] + "!")}, "APIv3Key", "want 32 letters or digits"},
		"ten letters":   {ReceiverConfig{Keys: keySet(t), APIv3Key: Secret(strings.Repeat("钥", 10) + "ab")}, "APIv3Key", "want 32 letters or digits"},
		"a private key": {ReceiverConfig{Keys: keySet(t), APIv3Key: Secret(vectorPEM(t, wechatKeyName))}, "APIv3Key", "is PEM"},
		"bad old key":   {ReceiverConfig{Keys: keySet(t), APIv3Key: testAPIv3Key, APIv3KeyOld: "x"}, "APIv3KeyOld", "has 1 bytes"},
	} {
		_, err := NewReceiver(test.cfg)
		wantKind(t, err, BadConfig, test.field)
		if err != nil {
			if !strings.Contains(err.Error(), test.words) {
				t.Errorf("%s: %v, want %q", name, err, test.words)
			}
			wantNothingOf(t, string(test.cfg.APIv3Key), err.Error())
		}
	}
}

// Keys are replaced while messages are verified. Run with -race.
func TestReplaceKeys(t *testing.T) {
	old, next := weChatKey(t), Key{ID: "PUB_KEY_ID_2", Public: weChatKey(t).Public}
	r := newReceiver(t, old)
	first := signed(t, wechatKeyName, old.ID, testNow, answer)
	second := signed(t, wechatKeyName, next.ID, testNow, answer)
	_, err := r.Verify(t.Context(), second.get, []byte(answer))
	wantKind(t, err, UnknownSerial, HeaderSerial)

	both := keySet(t, next, old)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if _, err := r.Verify(t.Context(), first.get, []byte(answer)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		r.Replace(both)
	}
	all.Wait()
	if r.Keys() != both || r.PreferredSerial() != next.ID {
		t.Error("the keys were not replaced")
	}
	if _, err := r.Verify(t.Context(), second.get, []byte(answer)); err != nil {
		t.Error(err)
	}
	r.Replace(keySet(t, next))
	_, err = r.Verify(t.Context(), first.get, []byte(answer))
	wantKind(t, err, UnknownSerial, HeaderSerial)
}

// A platform that cannot verify says nothing about the message.
func TestVerifyUnavailable(t *testing.T) {
	set, err := NewKeySet(answers{errors.New("secret words")}, weChatKey(t))
	if err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t)
	r.Replace(set)
	h := signed(t, wechatKeyName, testKeyID, testNow, answer)
	_, err = r.Verify(t.Context(), h.get, []byte(answer))
	wantKind(t, err, Unavailable, "RSA")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = r.Verify(ctx, h.get, []byte(answer)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A response is accepted only if it is signed. For any other the error only says that the call
// failed.
func TestResponse(t *testing.T) {
	r := newReceiver(t, weChatKey(t))
	const notExist = `{"code":"ORDERNOTEXIST","message":"订单不存在"}`
	sign := func(body string) headers { return signed(t, wechatKeyName, testKeyID, testNow, body) }
	if err := r.Response(t.Context(), 200, sign(answer).get, []byte(answer)); err != nil {
		t.Error(err)
	}
	if err := r.Response(t.Context(), 204, sign("").get, nil); err != nil {
		t.Error(err)
	}
	// 2xx that does not verify: the outcome is unknown.
	for name, test := range map[string]struct {
		h    headers
		kind Kind
	}{
		"without a signature": {headers{}, Unsigned}, "forged": {sign("{}"), Forged},
		"probe": {sign(answer).with(HeaderSignature, probePrefix+"AAAA"), Probe},
	} {
		err := r.Response(t.Context(), 200, test.h.get, []byte(answer))
		wantKind(t, err, test.kind, HeaderSignature)
		var f *Failure
		if errors.As(err, &f) {
			t.Errorf("%s: %v is a failure", name, err)
		}
	}
	for name, test := range map[string]struct {
		status        int
		h             headers
		body          string
		signed        bool
		code, claimed string
		unverified    Kind
	}{
		"signed error":               {404, sign(notExist), notExist, true, "ORDER_NOT_EXIST", "", 0},
		"the same without signature": {404, headers{}, notExist, false, "", "ORDER_NOT_EXIST", Unsigned},
		"the same, forged":           {404, sign(answer), notExist, false, "", "ORDER_NOT_EXIST", Forged},
		"probe":                      {404, sign(notExist).with(HeaderSignature, probePrefix+"x"), notExist, false, "", "ORDER_NOT_EXIST", Probe},
		"unknown serial":             {404, sign(notExist).with(HeaderSerial, "AB"), notExist, false, "", "ORDER_NOT_EXIST", UnknownSerial},
		"an unknown path":            {404, headers{}, "", false, "", "", Unsigned},
		"a wrong method":             {405, headers{}, "", false, "", "", Unsigned},
		"a gateway's page":           {502, headers{}, "<html>502</html>", false, "", "", Unsigned},
		"signed, but no JSON":        {500, sign("x"), "x", true, "", "", 0},
		"a redirect":                 {302, headers{}, "", false, "", "", Unsigned},
		"401":                        {401, headers{}, `{"code":"SIGN_ERROR","message":"签名错误"}`, false, "", "SIGN_ERROR", Unsigned},
	} {
		err := r.Response(t.Context(), test.status, test.h.get, []byte(test.body))
		var f *Failure
		if !errors.As(err, &f) || f.Status != test.status || f.Signed != test.signed || f.Code != test.code || f.Claimed != test.claimed {
			t.Errorf("%s: got %+v", name, err)
			continue
		}
		if test.signed {
			if f.Unverified != nil {
				t.Errorf("%s: %v", name, f.Unverified)
			}
			continue
		}
		var e *Error
		if !errors.As(f.Unverified, &e) || e.Kind != test.unverified {
			t.Errorf("%s: %v", name, f.Unverified)
		}
	}
}
