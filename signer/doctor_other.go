//go:build !js

package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/edge"
	"h5pay/internal/remote"
	"h5pay/internal/v1"
)

// doctorUsage is the help of the command.
const doctorUsage = `finds out why a shop does not work. It makes no payment.

  h5pay doctor -config h5pay.env               with the settings of a shop on this machine
  h5pay doctor -shop https://shop.example.com  asks a running shop, and tests the way to it from here

For -shop set H5PAY_KEY to an API key with the scope read. Without it the ADMIN_TOKEN of the
environment or of -config is used. docs/doctor.md lists the checks and the causes.`

// doctorCommand runs the checks and prints what is wrong. It fails if a check does.
func doctorCommand(ctx context.Context, c *console, args []string) error {
	flags := newFlags("doctor", doctorUsage)
	config := configFlag(flags.FlagSet)
	shop := flags.String("shop", "", "`address` of a running shop to ask")
	asJSON := flags.Bool("json", false, "print JSON, as GET /v1/checks responds")
	lang := flags.String("lang", systemLanguage(c.getenv), "`language`, zh or en")
	offline := flags.Bool("offline", false, "make no calls to WeChat and to the shop's address")
	if err := c.parse(flags, args); err != nil {
		return err
	}
	if *lang != "zh" && *lang != "en" {
		return usageError("-lang " + *lang + ": want zh or en")
	}
	var checks v1.Checks
	switch {
	case *shop != "" && *offline:
		return usageError("-offline is for the settings of this machine, and -shop makes calls")
	case *shop != "":
		getenv, err := loadConfig(*config, c.getenv)
		if err != nil {
			return err
		}
		key := cmp.Or(c.getenv("H5PAY_KEY"), getenv("ADMIN_TOKEN"))
		if key == "" {
			return usageError("-shop needs H5PAY_KEY, an API key with the scope read")
		}
		if checks, err = remoteChecks(ctx, *shop, key); err != nil {
			return err
		}
	case *config == "" && !hasSettings(c.getenv):
		return usageError("there are no settings: name their file with -config, or a running shop with -shop")
	default:
		checks = localChecks(ctx, *config, c.getenv, !*offline)
	}
	addTexts(&checks)
	if *asJSON {
		text, err := json.MarshalIndent(checks, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "%s\n", text)
	} else {
		printChecks(c.stdout, checks, *lang)
	}
	failed := 0
	for _, check := range checks.Checks {
		if check.Status == v1.CheckFail {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("checks that failed: %d", failed)
	}
	return nil
}

// systemLanguage returns zh if the environment wants Chinese.
func systemLanguage(getenv func(string) string) string {
	if strings.HasPrefix(cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")), "zh") {
		return "zh"
	}
	return "en"
}

// localChecks runs the checks with the settings of this machine. It changes nothing in the database.
func localChecks(ctx context.Context, config string, environment func(string) string, network bool) v1.Checks {
	log := slog.New(slog.DiscardHandler)
	getenv, configErr := loadConfig(config, environment)
	if getenv == nil {
		return unavailable(configErr, "", log).check(ctx, false)
	}
	p := platform{
		getenv: getenv, doer: newClient(nil), webhookDoer: newClient(nil), log: log, catalogueHint: catalogueHint,
		addressLimit: newLimiter(addressLimit), ownerLimit: newLimiter(ownerLimit), keyLimit: newLimiter(keyLimitCalls),
	}
	p.addresses, p.problem = proxyAddresses(getenv)
	if cert, err := certClient(getenv); err == nil && cert != nil {
		p.certDoer = cert
	}
	p.problem = errors.Join(configErr, p.problem, ownErrors(getenv))
	db, missing, err := databaseToCheck(getenv)
	if err != nil {
		p.problem = errors.Join(p.problem, err)
		return newApp(p).check(ctx, false)
	}
	defer db.Close()
	p.db, p.database, p.size = db.DB, db.name, db.size()
	p.addChecks(db.file)
	checks := newApp(p).check(ctx, network)
	if folder, err := os.Stat(filepath.Dir(db.file)); missing && err == nil && folder.IsDir() {
		withoutDatabase(&checks) // h5pay serve can create it
	}
	return checks
}

// databaseToCheck opens the database and changes nothing in it. missing reports a file that h5pay serve
// will create.
func databaseToCheck(getenv func(string) string) (db *database, missing bool, err error) {
	if address := getenv(urlSetting); address != "" {
		db, err = connectPostgres(address, plainOpener)
		return db, false, err
	}
	file := databaseFile(getenv)
	db = &database{name: absolute(file), file: file}
	info, statErr := os.Stat(file)
	missing = errors.Is(statErr, fs.ErrNotExist)
	if missing || statErr == nil && info.IsDir() {
		// A file would be created, and a folder is none. Every statement fails at once.
		db.DB, err = sql.Open("sqlite", "file:"+url.PathEscape(file)+"?mode=ro")
	} else {
		db.DB, err = openSQLite(file)
	}
	if err != nil {
		return nil, false, &settingError{dbSetting, "must be a SQLite file that this user can write"}
	}
	return db, missing, nil
}

// withoutDatabase skips the checks of a database that h5pay serve will create.
func withoutDatabase(checks *v1.Checks) {
	checks.OK = true
	for i, c := range checks.Checks {
		if c.Cause == string(cause.DatabaseUnreadable) || c.Cause == string(cause.EchoNotReceived) {
			checks.Checks[i] = v1.CheckResult{ID: c.ID, Status: v1.CheckSkipped, Detail: "the file DB_FILE does not exist yet: h5pay serve creates it"}
		}
		checks.OK = checks.OK && checks.Checks[i].Status != v1.CheckFail
	}
}

// remoteChecks requests the checks of a running shop, and tests the way to its address from this
// machine.
func remoteChecks(ctx context.Context, shop, key string) (checks v1.Checks, err error) {
	base, err := remote.ParseShop(shop)
	if err != nil {
		return checks, usageError("-shop: " + err.Error())
	}
	began := time.Now()
	client := newClient(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/checks?network=true", nil)
	if err != nil {
		return checks, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("User-Agent", "h5pay")
	res, err := client.Do(req)
	if err != nil {
		f := edge.Connection(ctx, err)
		return v1.Checks{CheckedAt: began.UnixMilli(), Checks: []v1.CheckResult{edgeResult(cause.NotifyURL, f, began)}}, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return checks, fmt.Errorf("reading the checks of %s: %w", base, err)
	}
	var answer struct {
		Code    api.Code `json:"code"`
		Message string   `json:"message"`
	}
	decoded := json.Unmarshal(body, &checks) == nil && checks.Checks != nil
	switch {
	case res.StatusCode == http.StatusOK && decoded:
	case json.Unmarshal(body, &answer) == nil && answer.Code != "":
		return checks, fmt.Errorf("%s responded %d: %s", base, res.StatusCode, answer.Message)
	default:
		f := edge.Rejected(res, body)
		return v1.Checks{CheckedAt: began.UnixMilli(), Checks: []v1.CheckResult{edgeResult(cause.NotifyURL, f, began)}}, nil
	}
	if checks.Probe == nil {
		return checks, nil // its settings are wrong
	}
	here := outside(client, os.DirFS("public"))(ctx, strings.TrimSuffix(checks.Probe.URL, api.PathNotifyPay), checks.Probe.Token)
	for _, c := range here {
		i := slices.IndexFunc(checks.Checks, func(old v1.CheckResult) bool { return old.ID == c.ID })
		switch {
		case i < 0:
			checks.Checks = append(checks.Checks, c)
		case checks.Checks[i].Status == v1.CheckSkipped || c.Status == v1.CheckFail:
			checks.Checks[i] = c
		}
	}
	checks.Probe = nil
	if here[0].Cause != "" {
		skipEcho(&checks)
	}
	checks.OK = true
	for _, c := range checks.Checks {
		checks.OK = checks.OK && c.Status != v1.CheckFail
	}
	return checks, nil
}

// skipEcho skips the check of WeChat's callback, because a probe did not arrive either.
func skipEcho(checks *v1.Checks) {
	for i, c := range checks.Checks {
		if c.ID == string(cause.Echo) && c.Status == v1.CheckFail {
			checks.Checks[i] = v1.CheckResult{ID: c.ID, Status: v1.CheckSkipped, Detail: "follows from " + string(cause.NotifyURL), TookMS: c.TookMS}
		}
	}
}

// addTexts adds the texts that the shop did not send.
func addTexts(checks *v1.Checks) {
	for i, c := range checks.Checks {
		if c.Cause != "" && (c.ZH == nil || c.EN == nil) {
			checks.Checks[i].ZH, checks.Checks[i].EN = explain(cause.ID(c.Cause), c.Setting)
		}
	}
}

// printChecks prints the checks for people.
func printChecks(w io.Writer, checks v1.Checks, lang string) {
	words := map[string][2]string{
		"ok": {"正常", "ok"}, "warn": {"注意", "warn"}, "fail": {"故障", "FAIL"}, "skipped": {"跳过", "skipped"},
		"effect": {"影响", "effect"}, "repair": {"处理", "repair"}, "menu": {"菜单", "menu"}, "detail": {"详情", "detail"}, "setting": {"配置", "setting"},
		"well": {"没有发现故障。", "Nothing is wrong."}, "ill": {"发现故障。", "Something is wrong."},
	}
	one := func(zh, en string) string {
		if lang == "zh" {
			return zh
		}
		return en
	}
	word := func(key string) string { return one(words[key][0], words[key][1]) }
	titles := map[string]string{}
	for _, t := range cause.Titles() {
		titles[string(t.Check)] = one(t.ZH, t.EN)
	}
	for _, c := range checks.Checks {
		fmt.Fprintf(w, "[%s] %s", word(string(c.Status)), cmp.Or(titles[c.ID], c.ID))
		text := c.EN
		if lang == "zh" {
			text = c.ZH
		}
		switch {
		case c.Status == v1.CheckSkipped:
			fmt.Fprintf(w, ": %s\n", c.Detail)
			continue
		case text == nil && c.Detail != "":
			fmt.Fprintf(w, ": %s\n", c.Detail)
			continue
		case text == nil:
			fmt.Fprintln(w)
			continue
		}
		fmt.Fprintf(w, ": %s (%s)\n", text.Problem, c.Cause)
		for _, line := range [][2]string{{"setting", c.Setting}, {"effect", text.Effect}, {"repair", text.Repair}, {"menu", text.Menu}, {"detail", c.Detail}} {
			if line[1] != "" {
				fmt.Fprintf(w, "    %s: %s\n", word(line[0]), line[1])
			}
		}
	}
	if checks.OK {
		fmt.Fprintln(w, word("well"))
	} else {
		fmt.Fprintln(w, word("ill"))
	}
}
