package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

var (
	textEndpoints       = text{"Webhook 端点", "Endpoints"}
	textNoEndpoints     = text{"没有 webhook 端点", "No endpoints"}
	textNoEndpointsHint = text{"您的系统通过它得知付款、退款和关单，最多五个", "Your back end gets events about payments, refunds and closed orders there. Five endpoints at most"}
	textNewEndpoint     = text{"新建端点", "New endpoint"}
	textChangeEndpoint  = text{"修改端点", "Change the endpoint"}
	textEndpointURL     = text{"网址（https）", "URL (https)"}
	textEndpointNote    = text{"备注", "Note"}
	textEndpointTypes   = text{"事件类型（不选则全部）", "Event types (none chosen: all)"}
	textEveryType       = text{"全部事件", "All events"}
	textOfSettings      = text{"网址和密钥来自配置 WEBHOOK_URL、WEBHOOK_SECRET", "URL and secret are the settings WEBHOOK_URL and WEBHOOK_SECRET"}
	textEndpointMade    = text{"端点已创建", "The endpoint is made"}
	textSecretOnce      = text{"签名密钥，只显示这一次。请填入您的系统", "The signing secret, shown this once. Enter it in your back end"}
	textEnabled         = text{"已启用", "Enabled"}
	textDisabled        = text{"已停用", "Disabled"}
	textGone            = text{"接收端返回 410，已暂停", "Paused: it responded 410"}
	textEnable          = text{"启用", "Enable"}
	textDisable         = text{"停用", "Disable"}
	textEnableDone      = text{"已启用", "It is enabled"}
	textDisableTitle    = text{"停用这个端点？", "Disable this endpoint?"}
	textDisableHint     = text{"停用期间的新事件不会发给它", "It does not get the events that happen from now on"}
	textDisableDone     = text{"已停用", "It is disabled"}
	textTest            = text{"发送测试事件", "Send a test event"}
	textTestOK          = text{"测试事件已送达", "The test event was delivered"}
	textTestFailed      = text{"测试事件未送达", "The test event was not delivered"}
	textRotate          = text{"更换密钥", "Change the secret"}
	textRotateTitle     = text{"更换签名密钥？", "Change the signing secret?"}
	textRotateHint      = text{"旧密钥在 24 小时内继续签名，请在此期间换上新密钥", "The old one signs too for 24 hours. Enter the new one in that time"}
	textLeaked          = text{"密钥已泄露", "The secret leaked"}
	textLeakedTitle     = text{"立即作废旧密钥？", "End the old secret now?"}
	textLeakedHint      = text{"旧密钥立刻停止签名，换上新密钥之前您的系统会拒绝事件，之后会重试", "The old one stops signing at once. Until you enter the new one, your back end rejects events, which are retried"}
	textRotated         = text{"密钥已更换", "The secret is changed"}
	textDelete          = text{"删除", "Delete"}
	textDeleteTitle     = text{"删除这个端点？", "Delete this endpoint?"}
	textDeleteHint      = text{"尚未送达的事件不再发给它，不能恢复", "Its pending events are not sent any more. This cannot be undone"}
	textDeleted         = text{"端点已删除", "The endpoint is deleted"}
	textTries           = text{"次推送", "deliveries tried"}
	textFailures        = text{"次连续失败", "failed in a row"}
	textLastSuccess     = text{"上次成功", "Last success"}
	textLastFailure     = text{"上次失败", "Last failure"}
	textOldSecret       = text{"旧密钥有效至", "The old secret signs until"}
	textLastTries       = text{"最近的推送", "Last deliveries"}
	textNoTries         = text{"最近没有发给它的事件", "None of the last events was for it"}
	textCancel          = text{"取消", "Cancel"}
)

var endpointStates = map[v1.EndpointState]statusText{
	v1.EndpointEnabled: {textEnabled, "good"}, v1.EndpointDisabled: {textDisabled, "off"}, v1.EndpointGone: {textGone, "bad"},
}

// settingsEndpoint is the ID of the endpoint that the settings of the shop have.
const settingsEndpoint = "settings"

// lookedAt is how many of the last events are read for the last deliveries to an endpoint.
const lookedAt = 10

// endpointsScreen lists the endpoints of webhooks, makes, changes and tests them.
type endpointsScreen struct {
	app.Compo
	base

	endpoints []v1.Endpoint
	form      endpointForm
	made      v1.Endpoint // with its secret, until the screen is left
	tests     map[string]testResult
	tries     map[string][]v1.Event // the last events by endpoint, each with its one delivery
}

// endpointForm is what the operator enters for an endpoint. Without an ID it makes one.
type endpointForm struct {
	id, url, note string
	types         []api.EventType
}

// testResult is how a test ended.
type testResult struct {
	v1.EndpointTest
	at int64 // Unix ms
}

func newEndpointsScreen(c *console) *endpointsScreen {
	return &endpointsScreen{base: base{c: c, path: "/console/endpoints", title: textEndpoints}, tests: map[string]testResult{}, tries: map[string][]v1.Event{}}
}

func (p *endpointsScreen) OnMount(ctx app.Context) {
	p.read = func(ctx app.Context) {
		p.run(ctx, func() (func(), error) {
			var list v1.Endpoints
			err := p.get("/v1/endpoints", &list)
			return func() { p.endpoints = list.Endpoints }, err
		})
	}
	p.begin(ctx, true)
}

func (p *endpointsScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	var made app.UI
	if p.made.Secret != "" {
		made = elem("div").Class("made").Role("status").Body(
			elem("p").Text(p.tr(textSecretOnce)), elem("span").Class("small").Text(p.made.URL),
			elem("code").ID("secret").Text(p.made.Secret), p.copyButton(textCopy, p.made.Secret))
	}
	list := p.nothing(textNoEndpoints, textNoEndpointsHint)
	if len(p.endpoints) > 0 {
		list = elem("ul").Class("list plainer endpoints").Body(app.Range(p.endpoints).Slice(func(i int) app.UI { return p.entry(p.endpoints[i]) }))
	}
	return p.frame(made, list, p.formSection())
}

func (p *endpointsScreen) entry(e v1.Endpoint) app.UI {
	state := endpointStates[e.State]
	name, note := e.URL, e.Description
	if e.ID == settingsEndpoint {
		note = p.tr(textOfSettings)
	}
	facts := []app.UI{
		elem("strong").Text(name), p.smallText(note), p.smallText(p.typeNames(e.Types)),
		p.smallText(count(e.Attempts) + " " + p.tr(textTries) + choose(e.Failures > 0, ", "+count(e.Failures)+" "+p.tr(textFailures), "")),
		p.smallTime(textLastSuccess, e.LastSuccessAt), p.smallTime(textLastFailure, e.LastFailureAt), p.smallTime(textOldSecret, e.OldSecretUntil),
		app.If(e.LastError != "", elem("span").Class("small problem").Text(p.tr(textLastError)+": "+e.LastError)),
		app.If(e.Problem != "", elem("span").Class("small problem").Text(e.Problem)),
	}
	if t, ok := p.tests[e.ID]; ok {
		facts = append(facts, elem("span").Class(choose(t.OK, "small", "small problem")).DataSet("test", choose(t.OK, "ok", "failed")).Text(p.testLine(t)))
	}
	return elem("li").Class("tall").DataSet("endpoint", e.ID).Body(
		elem("div").Class("top").Body(elem("span").Class("what").Body(facts...),
			elem("span").Class("much").Body(p.badge(state.name, state.kind, string(e.State)))),
		p.actions(e), p.triesOf(e))
}

func (s *base) smallText(line string) app.UI {
	return app.If(line != "", elem("span").Class("small").Text(line))
}

func (s *base) smallTime(name text, ms int64) app.UI {
	return app.If(ms > 0, elem("span").Class("small").Text(s.tr(name)+" "+beijingTime(ms)))
}

func (p *endpointsScreen) typeNames(types []api.EventType) string {
	if len(types) == 0 {
		return p.tr(textEveryType)
	}
	var names []string
	for _, t := range types {
		names = append(names, p.tr(eventTypes[t]))
	}
	return strings.Join(names, ", ")
}

// testLine is the result of a test in one line.
func (p *endpointsScreen) testLine(t testResult) string {
	line := p.tr(choose(t.OK, textTestOK, textTestFailed))
	switch {
	case t.Problem != "": // it has the status
		line += ": " + t.Problem
	case t.Status > 0:
		line += ": HTTP " + count(t.Status)
	}
	return line + " · " + count(int(t.TookMS)) + " ms · " + beijingTime(t.at)
}

func endpointPath(id string) string { return "/v1/endpoints/" + url.PathEscape(id) }

func (p *endpointsScreen) actions(e v1.Endpoint) app.UI {
	buttons := []app.UI{p.mini(textTest, func(ctx app.Context) { p.test(ctx, e) }, e.ID), p.mini(textLastTries, func(ctx app.Context) { p.lookBack(ctx, e) }, e.ID)}
	if e.State == v1.EndpointEnabled {
		buttons = append(buttons, p.mini(textDisable, func(ctx app.Context) {
			p.confirm(ctx, confirmation{textDisableTitle, e.URL + ": " + p.tr(textDisableHint), textDisable, func(ctx app.Context) { p.enable(ctx, e, false, textDisableDone) }})
		}, e.ID))
	} else {
		buttons = append(buttons, p.mini(textEnable, func(ctx app.Context) { p.enable(ctx, e, true, textEnableDone) }, e.ID))
	}
	buttons = append(buttons, p.mini(textChange, func(app.Context) { p.edit(e) }, e.ID))
	if e.ID != settingsEndpoint {
		buttons = append(buttons,
			p.mini(textRotate, func(ctx app.Context) {
				p.confirm(ctx, confirmation{textRotateTitle, p.tr(textRotateHint), textRotate, func(ctx app.Context) { p.rotate(ctx, e, v1.RotateSecret{}) }})
			}, e.ID),
			p.mini(textLeaked, func(ctx app.Context) {
				p.confirm(ctx, confirmation{textLeakedTitle, p.tr(textLeakedHint), textRotate, func(ctx app.Context) { p.rotate(ctx, e, v1.RotateSecret{KeepOld: new(int64)}) }})
			}, e.ID),
			p.mini(textDelete, func(ctx app.Context) {
				p.confirm(ctx, confirmation{textDeleteTitle, e.URL + ": " + p.tr(textDeleteHint), textDelete, func(ctx app.Context) { p.remove(ctx, e) }})
			}, e.ID))
	}
	return elem("p").Class("actions").Body(buttons...)
}

// test sends a test event, and shows how it ended at the endpoint. Until then it shows no earlier
// result.
func (p *endpointsScreen) test(ctx app.Context, e v1.Endpoint) {
	began := p.act(ctx, textTestOK, func(ctx context.Context) (func(), error) {
		var result v1.EndpointTest
		err := call(ctx, p.c.b, "POST", endpointPath(e.ID)+"/test", nil, &result, "")
		return func() {
			p.tests[e.ID] = testResult{result, time.Now().UnixMilli()}
			if !result.OK {
				p.sayWrong(textTestFailed)
			}
		}, err
	})
	if began {
		delete(p.tests, e.ID)
	}
}

func (p *endpointsScreen) enable(ctx app.Context, e v1.Endpoint, on bool, done text) {
	p.act(ctx, done, func(ctx context.Context) (func(), error) {
		return nil, call(ctx, p.c.b, "PATCH", endpointPath(e.ID), v1.ChangeEndpoint{Enabled: &on}, nil, "")
	})
}

// rotate changes the secret, which is then shown this once.
func (p *endpointsScreen) rotate(ctx app.Context, e v1.Endpoint, req v1.RotateSecret) {
	p.act(ctx, textRotated, func(ctx context.Context) (func(), error) {
		var made v1.Endpoint
		err := call(ctx, p.c.b, "POST", endpointPath(e.ID)+"/secret", req, &made, "")
		return func() { p.made = made }, err
	})
}

func (p *endpointsScreen) remove(ctx app.Context, e v1.Endpoint) {
	p.act(ctx, textDeleted, func(ctx context.Context) (func(), error) {
		return func() {
			if p.form.id == e.ID {
				p.form = endpointForm{}
			}
			if p.made.ID == e.ID {
				p.made = v1.Endpoint{}
			}
		}, call(ctx, p.c.b, "DELETE", endpointPath(e.ID), nil, nil, "")
	})
}

// lookBack reads the last events, and keeps those that were for the endpoint.
func (p *endpointsScreen) lookBack(ctx app.Context, e v1.Endpoint) {
	p.act(ctx, text{}, func(ctx context.Context) (func(), error) {
		var list v1.Events
		if err := call(ctx, p.c.b, "GET", address("/v1/events", "limit", count(lookedAt)), nil, &list, ""); err != nil {
			return nil, err
		}
		tries := []v1.Event{}
		for _, event := range list.Events {
			var one v1.Event
			if err := call(ctx, p.c.b, "GET", "/v1/events/"+url.PathEscape(event.ID), nil, &one, ""); err != nil {
				return nil, err
			}
			one.Deliveries = slices.DeleteFunc(one.Deliveries, func(d v1.Delivery) bool { return d.EndpointID != e.ID })
			if len(one.Deliveries) > 0 {
				tries = append(tries, one)
			}
		}
		return func() { p.tries[e.ID] = tries }, nil
	})
}

func (p *endpointsScreen) triesOf(e v1.Endpoint) app.UI {
	tries, ok := p.tries[e.ID]
	switch {
	case !ok:
		return nil
	case len(tries) == 0:
		return elem("p").Class("small").Text(p.tr(textNoTries))
	}
	return elem("ul").Class("tries").Body(app.Range(tries).Slice(func(i int) app.UI {
		return elem("li").DataSet("try", tries[i].ID).Body(
			elem("a").Class("small link").Attr("href", "/console/order?id="+url.QueryEscape(tries[i].OrderID)).Text(p.tr(eventTypes[tries[i].Type])+" · "+beijingTime(tries[i].CreatedAt)),
			p.deliveryLine(tries[i].Deliveries[0]))
	}))
}

// formSection makes an endpoint, or changes one.
func (p *endpointsScreen) formSection() app.UI {
	f := &p.form
	title, button := textNewEndpoint, textMake
	if f.id != "" {
		title, button = textChangeEndpoint, textSave
	}
	var fields []app.UI
	if f.id != settingsEndpoint {
		fields = append(fields,
			p.field("url", textEndpointURL, "url", f.url, func(v string) { f.url = v }, "maxlength", "500", "autocomplete", "off", "placeholder", "https://"),
			p.field("note", textEndpointNote, "text", f.note, func(v string) { f.note = v }, "maxlength", "200", "autocomplete", "off"))
	} else {
		fields = append(fields, elem("p").Class("small").Text(p.tr(textOfSettings)))
	}
	var types []app.UI
	for _, t := range eventOrder {
		name := eventTypes[t]
		types = append(types, p.check("type-"+strings.ReplaceAll(string(t), ".", "-"), text{name.ZH + " " + string(t), name.EN + " " + string(t)}, slices.Contains(f.types, t), func(on bool) {
			f.types = slices.DeleteFunc(slices.Clone(f.types), func(other api.EventType) bool { return other == t })
			if on {
				f.types = append(f.types, t)
			}
		}))
	}
	fields = append(fields, elem("fieldset").Class("types").Body(append([]app.UI{elem("legend").Text(p.tr(textEndpointTypes))}, types...)...), p.submit(button, f.url != "" || f.id != ""))
	if f.id != "" {
		fields = append(fields, p.mini(textCancel, func(app.Context) { p.form = endpointForm{} }))
	}
	return section(p.tr(title), elem("form").Class("form").ID("endpoint").OnSubmit(p.submitting(p.save)).Body(fields...))
}

// edit fills the form with an endpoint.
func (p *endpointsScreen) edit(e v1.Endpoint) {
	p.form = endpointForm{e.ID, e.URL, e.Description, slices.Clone(e.Types)}
	p.page.Defer(func(app.Context) { p.c.b.Focus(choose(e.ID == settingsEndpoint, "type-order-paid", "url")) })
}

func (p *endpointsScreen) save() {
	f := p.form
	switch f.id {
	case "":
		req := v1.CreateEndpoint{URL: strings.TrimSpace(f.url), Description: strings.TrimSpace(f.note), Types: f.types}
		p.act(p.page, textEndpointMade, func(ctx context.Context) (func(), error) {
			var made v1.Endpoint
			err := call(ctx, p.c.b, "POST", "/v1/endpoints", req, &made, "")
			return func() { p.made, p.form = made, endpointForm{} }, err
		})
	default:
		// No v1.ChangeEndpoint, which cannot say that all types are wanted.
		req := map[string]any{"types": append([]api.EventType{}, f.types...)}
		if f.id != settingsEndpoint {
			req["url"], req["description"] = strings.TrimSpace(f.url), strings.TrimSpace(f.note)
		}
		p.act(p.page, textSaved, func(ctx context.Context) (func(), error) {
			return func() { p.form = endpointForm{} }, call(ctx, p.c.b, "PATCH", endpointPath(f.id), req, nil, "")
		})
	}
}
