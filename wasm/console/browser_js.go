package main

import (
	"context"
	"errors"
	"strings"
	"syscall/js"
	"time"

	"h5pay/wasm/dom"
)

// webView is the browser that runs the console.
type webView struct{ files map[string]js.Value }

func newBrowser() browser { return webView{map[string]js.Value{}} }

func document() js.Value { return js.Global().Get("document") }

func (webView) Origin() string {
	return dom.Text(dom.Member(js.Global().Get("location"), "origin"))
}

func (webView) Query() string {
	return strings.TrimPrefix(js.Global().Get("location").Get("search").String(), "?")
}

func (webView) Language() (tag string) {
	defer dom.Catch(nil)
	return dom.Text(dom.Member(js.Global().Get("navigator"), "language"))
}

func (webView) Setting(key string) string  { return dom.Stored("localStorage", key) }
func (webView) Set(key, value string)      { dom.Store("localStorage", key, value) }
func (webView) SetDocumentLang(tag string) { document().Get("documentElement").Set("lang", tag) }
func (webView) Visible() bool              { return dom.Text(document().Get("visibilityState")) == "visible" }
func (webView) OpenDialog(id string)       { dom.OpenDialog(id) }
func (webView) CloseDialog(id string)      { dom.CloseDialog(id) }

func (webView) Focus(id string) {
	defer dom.Catch(nil)
	if element := document().Call("getElementById", id); element.Truthy() {
		element.Call("focus")
	}
}

func (webView) Copy(ctx context.Context, text string) error { return dom.Copy(ctx, text) }

func (webView) Fetch(ctx context.Context, method, path string, header map[string]string, body []byte) (dom.Response, error) {
	return dom.Fetch(ctx, method, path, header, body)
}

func (w webView) OnReturn(f func()) (stop func()) {
	stops := []func(){
		dom.Listen(document(), "visibilitychange", func(js.Value) {
			if w.Visible() {
				f()
			}
		}),
		dom.Listen(js.Global(), "online", func(js.Value) { f() }),
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

func (webView) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The longest side of a photo in pixels: twice what the shop shows.
var photoSides = []int{1200, 900, 640, 480}

func (webView) Photo(ctx context.Context, input string, limit int) (data string, err error) {
	defer dom.Catch(&err)
	files := document().Call("getElementById", input).Get("files")
	if files.Length() == 0 {
		return "", errors.New("no file is chosen")
	}
	address := js.Global().Get("URL").Call("createObjectURL", files.Index(0))
	defer js.Global().Get("URL").Call("revokeObjectURL", address)
	image := js.Global().Get("Image").New()
	image.Set("src", address)
	if _, err := dom.Await(ctx, image.Call("decode"), func() {}); err != nil {
		return "", err
	}
	width, height := image.Get("naturalWidth").Int(), image.Get("naturalHeight").Int()
	if width == 0 || height == 0 {
		return "", errors.New("the file is not a picture")
	}
	for _, side := range photoSides {
		scale := min(1, float64(side)/float64(max(width, height)))
		canvas := document().Call("createElement", "canvas")
		canvas.Set("width", max(1, int(float64(width)*scale)))
		canvas.Set("height", max(1, int(float64(height)*scale)))
		drawing := canvas.Call("getContext", "2d")
		drawing.Set("fillStyle", "#fff") // below a picture with holes
		drawing.Call("fillRect", 0, 0, canvas.Get("width"), canvas.Get("height"))
		drawing.Call("drawImage", image, 0, 0, canvas.Get("width"), canvas.Get("height"))
		for _, quality := range []float64{.86, .7, .5} {
			_, text, ok := strings.Cut(canvas.Call("toDataURL", "image/jpeg", quality).String(), ";base64,")
			if ok && len(text)/4*3 <= limit {
				return text, nil
			}
		}
	}
	return "", errors.New("the picture is too large")
}

func (webView) Picture(ctx context.Context, path string, width int) (address string, err error) {
	defer dom.Catch(&err)
	image := js.Global().Get("Image").New()
	image.Set("src", path)
	if _, err := dom.Await(ctx, image.Call("decode"), func() {}); err != nil {
		return "", err
	}
	if image.Get("naturalWidth").Int() == 0 {
		return "", errors.New("the picture has no size")
	}
	height := width * image.Get("naturalHeight").Int() / image.Get("naturalWidth").Int()
	canvas := document().Call("createElement", "canvas")
	canvas.Set("width", width)
	canvas.Set("height", height)
	canvas.Call("getContext", "2d").Call("drawImage", image, 0, 0, width, height)
	drawn := make(chan js.Value, 1)
	take := js.FuncOf(func(_ js.Value, args []js.Value) any {
		drawn <- args[0]
		return nil
	})
	defer take.Release()
	canvas.Call("toBlob", take, "image/png")
	blob := <-drawn
	if blob.IsNull() {
		return "", errors.New("the canvas is too large")
	}
	return js.Global().Get("URL").Call("createObjectURL", blob).String(), nil
}

func (webView) Release(address string) {
	defer dom.Catch(nil)
	js.Global().Get("URL").Call("revokeObjectURL", address)
}

func (webView) Print() {
	defer dom.Catch(nil)
	js.Global().Call("print")
}

// A file of the user's is a list of texts, which the browser joins when it is saved.
func (w webView) Keep(name, text string) {
	parts, ok := w.files[name]
	if !ok {
		parts = js.Global().Get("Array").New()
		w.files[name] = parts
	}
	parts.Call("push", text)
}

func (w webView) Drop(name string) { delete(w.files, name) }

func (w webView) Save(name string) {
	defer dom.Catch(nil)
	blob := js.Global().Get("Blob").New(w.files[name], map[string]any{"type": "text/csv;charset=utf-8"})
	delete(w.files, name)
	address := js.Global().Get("URL").Call("createObjectURL", blob)
	link := document().Call("createElement", "a")
	link.Set("href", address)
	link.Set("download", name)
	// Outside the body, because go-app manages the body's children.
	document().Get("documentElement").Call("append", link)
	link.Call("click")
	link.Call("remove")
	time.AfterFunc(time.Minute, func() { js.Global().Get("URL").Call("revokeObjectURL", address) })
}
