// Package binary runs the native command as its users do: the built binary in a folder of its own.
package binary

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/envfile"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/simulator/desk"
	"h5pay/wechat/wechattest"
)

// httpPhone is the phone of a simulator in another process.
type httpPhone struct {
	t   *testing.T
	url string
}

func (p httpPhone) Invoke(call wechattest.InvokeCall) (wechattest.Sheet, *wechattest.BridgeError) {
	var answer struct {
		Sheet *wechattest.Sheet `json:"sheet"`
		wechattest.BridgeError
	}
	p.post("/__wechat/invoke", call, &answer)
	if answer.Sheet == nil {
		return wechattest.Sheet{}, &answer.BridgeError
	}
	return *answer.Sheet, nil
}

func (p httpPhone) PaySheet(id string) (sheet wechattest.Sheet, err error) {
	p.post("/__wechat/sheets/"+id+"/pay", nil, &sheet)
	return sheet, nil
}

func (p httpPhone) post(path string, body, result any) {
	p.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := http.Post(p.url+path, "application/json", bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(result); err != nil || res.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s, %v", path, res.Status, err)
	}
}

// demoFlags let a demo listen on any free ports.
var demoFlags = []string{"serve", "-shop-port", "0", "-wechat-port", "0", "-desk-port", "0", "-phone-port", "0"}

// startDemo starts a demo and returns its process and the identity on its desk.
func startDemo(t *testing.T, dir string) (*process, desk.Identity) {
	t.Helper()
	p := start(t, dir, nil, demoFlags...)
	return p, identity(t, p)
}

// identity returns the identity on the desk of a demo.
func identity(t *testing.T, p *process) (id desk.Identity) {
	t.Helper()
	line := p.waitFor(t, "and pay")
	get(t, strings.Fields(line)[1]+"/control/info", &id)
	return id
}

// get fetches JSON.
func get(t *testing.T, url string, result any) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(result); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", url, res.Status, err)
	}
}

// signInAtConsole signs in with the key that the demo prints.
func signInAtConsole(t *testing.T, shop, key string) {
	t.Helper()
	req, err := http.NewRequest("POST", shop+v1.PathSession, strings.NewReader(`{"key":"`+key+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", shop)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var who v1.Session
	if err := json.NewDecoder(res.Body).Decode(&who); err != nil || res.StatusCode != http.StatusOK || len(who.Scopes) != 4 {
		t.Errorf("signing in at the console: %s, %+v, %v", res.Status, who, err)
	}
}

// Without settings, in an empty folder, the command serves a shop in which a buyer can pay. The
// next start has the same secrets and the order.
func TestDemoFromNothingToAPaidOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	began := time.Now()
	p, id := startDemo(t, dir)
	signInAtConsole(t, id.PhoneURL, strings.TrimSpace(p.waitFor(t, "h5pay_")))
	for _, path := range []string{"/", "/pay", "/console", "/console/orders", "/web/products/tea.svg", "/manifest.webmanifest"} {
		res, err := http.Get(id.PhoneURL + path)
		if err != nil {
			t.Fatal(err)
		}
		size, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || size == 0 {
			t.Errorf("%s: %s, %d bytes, %v", path, res.Status, size, err)
		}
	}
	phone := httpPhone{t, id.PhoneURL}
	buyer := paytest.NewBuyer(t, id.PhoneURL, id.PhoneURL, phone)
	buyer.SignIn()
	checkout := buyer.Order("tea", 1)
	buyer.Pay(checkout.Pay)
	// An order in a phone's browser needs the buyer's address, which the phone forwards.
	var h5 api.Checkout
	if buyer.Checkout(paytest.BasketForH5("cake", 1), &h5); h5.MWebURL == "" {
		t.Errorf("an H5 order: %+v", h5)
	}
	var list api.OrderList
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		buyer.Must(http.MethodGet, api.PathOrders, nil, &list)
		if len(list.Orders) == 2 && list.Orders[1].Status == api.StatusPaid {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("orders: %+v", list.Orders)
		}
	}
	p.waitFor(t, "webhook, signature verified: order.paid of order "+list.Orders[1].ID)
	t.Logf("paid after %v", time.Since(began).Round(time.Millisecond))
	secrets := readPrivate(t, dir)
	if !strings.Contains(secrets, "# The settings of the demo: `h5pay serve`") || strings.Contains(secrets, "make dev") {
		t.Errorf("the settings begin with %.120q", secrets)
	}
	p.stop(t)
	logged := p.stderr.String()

	p, id = startDemo(t, dir)
	if again := readPrivate(t, dir); again != secrets {
		t.Error("the second start changed the secrets")
	}
	env, err := envfile.Read(filepath.Join(dir, "h5pay-demo.env"))
	if err != nil {
		t.Fatal(err)
	}
	operator := paytest.NewBuyer(t, id.PhoneURL, id.PhoneURL, phone)
	operator.Token = env["ADMIN_TOKEN"]
	kept := operator.StoredOrder(list.Orders[1].ID)
	if kept.Status != v1.OrderPaid {
		t.Errorf("after a restart the order is %s", kept.Status)
	}
	var products api.ProductList
	get(t, id.PhoneURL+api.PathProducts, &products)
	if len(products.Products) != 7 {
		t.Errorf("%d products", len(products.Products))
	}
	p.stop(t)
	// A key that is made is a warning: the operator should know.
	log := strings.ReplaceAll(logged+p.stderr.String(), `level=WARN msg="API key created"`, "")
	if strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
		t.Errorf("the log has trouble:\n%s", log)
	}
}

// What a person needs stands together in a terminal, with the log before and after it.
func TestDemoPrintsItsAddressesTogether(t *testing.T) {
	t.Parallel()
	p := startProcess(t, true, command, t.TempDir(), nil, demoFlags...)
	if line := p.waitFor(t, "signer is listening"); !strings.HasPrefix(line, "time=") {
		t.Errorf("the log is not in the lines: %q", line)
	}
	p.waitFor(t, "and pay")
	var rows []string
	for timeout := time.After(longest); ; {
		select {
		case line := <-p.lines:
			if strings.HasPrefix(line, "time=") {
				t.Fatalf("a log line stands after %q: %s", rows, line)
			}
			if rows = append(rows, line); strings.Contains(line, "h5pay_") {
				if text := strings.Join(rows, "\n"); !strings.Contains(text, "/console and sign in") || !strings.Contains(text, "no money moves") {
					t.Errorf("printed:\n%s", text)
				}
				return
			}
		case <-timeout:
			t.Fatalf("no key after %q", rows)
		}
	}
}

// readPrivate returns the settings of the demo. Only the owner can read them and the database.
func readPrivate(t *testing.T, dir string) string {
	t.Helper()
	for _, name := range []string{"h5pay-demo.env", "h5pay-demo.db"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "h5pay-demo.env"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Where the demo might replace a real shop, it does not start.
func TestDemoDoesNotStartInPlaceOfAShop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		env  []string
		args []string
		want string
	}{
		"a database of a shop":  {"h5pay.db", nil, nil, "name their file with -config"},
		"settings and its flag": {"", []string{"SHOP_NAME=x"}, nil, "is for the demo"},
		"a missing file":        {"", nil, []string{"-config", "missing.env"}, "missing.env"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(dir, test.file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			args := demoFlags
			if test.args != nil {
				args = append([]string{"serve"}, test.args...)
			}
			p := start(t, dir, test.env, args...)
			if err := p.wait(t); err == nil || !strings.Contains(p.stderr.String(), test.want) {
				t.Errorf("%v: %s", err, p.stderr.String())
			}
			if err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
				if strings.Contains(path, "demo") {
					err = fmt.Errorf("%s was created", path)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
}
