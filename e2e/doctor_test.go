package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// The doctor finds nothing wrong with the shop on workerd, and names what is before it. The Worker makes
// the calls to WeChat, and WeChat's callback arrives. No secret is in the output.
func TestDoctorOfTheWorker(t *testing.T) {
	command := filepath.Join(t.TempDir(), "h5pay")
	if out, err := exec.Command("go", "build", "-o", command, "../signer").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := world.shop.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	diagnose := func() (bad []string, statuses map[string]v1.CheckStatus) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; {
			out, err := exec.Command(command, "doctor", "-shop", world.sim.PhoneURL, "-config", world.envFile, "-json").Output()
			var checks v1.Checks
			if json.Unmarshal(out, &checks) != nil {
				if time.Now().After(deadline) {
					t.Fatalf("%v\n%s", err, out)
				}
				time.Sleep(time.Second) // the checks with calls run once in ten seconds
				continue
			}
			for name, secret := range secretSettings(t) {
				if strings.Contains(string(out), secret) {
					t.Errorf("the output holds %s", name)
				}
			}
			statuses = map[string]v1.CheckStatus{}
			for _, c := range checks.Checks {
				statuses[c.ID] = c.Status
				if c.Status == v1.CheckFail {
					bad = append(bad, c.Cause)
					if c.EN == nil || c.ZH == nil {
						t.Errorf("%s has no texts", c.Cause)
					}
				}
			}
			return bad, statuses
		}
	}
	bad, statuses := diagnose()
	for _, id := range []string{"sign_in", "order", "notify_url", "webhook", "clock", "schema", byVersion("api_v2", "api_v3")} {
		if statuses[id] != v1.CheckOK {
			t.Errorf("%s is %s", id, statuses[id])
		}
	}
	if want := byVersion(v1.CheckSkipped, v1.CheckOK); len(bad) > 0 || statuses["echo"] != want {
		t.Errorf("failed: %v, echo %s", bad, statuses["echo"])
	}
	if err := world.sim.AddFault(wechattest.Fault{Kind: wechattest.FaultEdgeChallenge, Count: 10}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.sim.ClearFaults)
	if bad, _ := diagnose(); len(bad) != 1 || bad[0] != "notify_challenged" {
		t.Errorf("behind a bot challenge: %v", bad)
	}
}
