package dom

import "time"

// Yield ends the current task of the page's thread and continues in another, some ms later. In between the
// browser can draw and handle input. A handler of js.FuncOf must not call it, because its event would go on.
func Yield() { time.Sleep(time.Millisecond) } // a shorter sleep may end before the task does
