// What stands between a step's code and the rest: reads the input, runs the code, writes the result
// (tagged JSON, see wire.py), keeps what is printed. It takes what it needs of the language's
// objects for itself, so code that changes them breaks only itself. Evaluates to one function.
(function () {
  "use strict";
  const {parse, stringify} = JSON, {isArray, from} = Array, {keys} = Object;
  const {isFinite} = Number, {apply} = Reflect;
  const BigInt_ = BigInt, Date_ = Date, Uint8Array_ = Uint8Array, Map_ = Map, Set_ = Set;
  const ArrayBuffer_ = ArrayBuffer, isView = ArrayBuffer.isView, Promise_ = Promise;
  const Error_ = Error, String_ = String, fromCodes = String.fromCharCode;
  const decode64 = atob, encode64 = btoa, time = Date.prototype.getTime;
  const then = Promise.prototype.then, Async = (async () => {}).constructor;
  const join = Array.prototype.join;

  function revive(value) {
    if (value === null || typeof value !== "object") return value;
    if (isArray(value)) return value.map(revive);
    const tag = value.$;
    if (isArray(tag)) {
      if (tag[0] === "int") return BigInt_(tag[1]);
      if (tag[0] === "bytes") return Uint8Array_.from(decode64(tag[1]), c => c.charCodeAt(0));
      value = tag[1];
    }
    for (const key of keys(value)) value[key] = revive(value[key]);
    return value;
  }

  function bytes(view) {
    let text = "";
    for (let i = 0; i < view.length; i += 4096)
      text += apply(fromCodes, null, view.subarray(i, i + 4096));
    return {__proto__: null, $: ["bytes", encode64(text)]};
  }

  class NotData { constructor(text) { this.text = text; } }

  function pack(value, at, depth) {
    switch (typeof value) {
      case "string": case "boolean": return value;
      case "undefined": return null;
      case "number":
        return isFinite(value) ? value : null;
      case "bigint":
        return {__proto__: null, $: ["int", String_(value)]};
      case "function": case "symbol":
        throw new NotData(at + " is a " + typeof value);
    }
    if (value === null) return null;
    if (depth > LEVELS)
      throw new NotData("it is nested more than LEVELS levels deep, or holds itself");
    if (value instanceof Date_) {
      const at = apply(time, value, []);
      return isFinite(at) ? {__proto__: null, $: ["date", at]} : null;
    }
    if (value instanceof ArrayBuffer_) return bytes(new Uint8Array_(value));
    if (isView(value))
      return bytes(new Uint8Array_(value.buffer, value.byteOffset, value.byteLength));
    if (value instanceof Promise_) throw new NotData(at + " is a promise; await it");
    if (value instanceof Error_)
      return {__proto__: null, name: String_(value.name), message: String_(value.message)};
    if (value instanceof Set_) value = from(value);
    if (isArray(value)) {
      const out = [];
      for (let i = 0; i < value.length; i++) {
        const item = value[i];
        out[i] = typeof item === "function" ? null : pack(item, at + "[" + i + "]", depth + 1);
      }
      return out;
    }
    if (typeof value.toJSON === "function") return pack(value.toJSON(), at, depth + 1);
    const out = {__proto__: null};
    let tagged = false;
    const put = (key, item) => {
      if (item === undefined || typeof item === "function" || typeof item === "symbol") return;
      if (key === "$") tagged = true;
      out[key] = pack(item, at + "." + key, depth + 1);
    };
    if (value instanceof Map_) for (const [key, item] of value) put(String_(key), item);
    else for (const key of keys(value)) put(key, value[key]);
    return tagged ? {__proto__: null, $: ["object", out]} : out;
  }

  const logs = [];
  let room = ROOM;
  function show(value) {
    if (typeof value === "string") return value;
    if (value instanceof Error_) return String_(value);
    try { const text = stringify(value); return text === undefined ? String_(value) : text; }
    catch (_) { try { return String_(value); } catch (_) { return "?"; } }
  }
  function log(...parts) {
    if (room <= 0) return;
    const text = apply(join, parts.map(show), [" "]).slice(0, room);
    room -= text.length + 1;
    logs[logs.length] = text;
  }
  const console = {};
  for (const name of ["log", "info", "warn", "error", "debug", "trace"]) console[name] = log;
  globalThis.console = console;

  const state = {done: false, failed: false, text: ""};
  function fail(error) {
    state.done = state.failed = true;
    let name = "Error", message = "", stack = "";
    try {
      if (error instanceof NotData) { name = ""; message = error.text; }
      else if (error instanceof Error_) {
        name = String_(error.name); message = String_(error.message); stack = String_(error.stack);
      } else message = show(error);
    } catch (_) { message = "an error that can't be shown"; }
    state.text = stringify({__proto__: null, data: error instanceof NotData, name, message, stack});
  }
  function start(source, given) {
    let code;
    try { code = new Async("input", source); }
    catch (error) { fail(error); state.syntax = true; return; }
    const input = revive(parse(given));
    apply(then, code(input), [
      value => {
        try { state.text = stringify(pack(value, "it", 0)); state.done = true; }
        catch (error) { fail(error); }
      },
      fail,
    ]);
  }
  return (what, source, given) => {
    switch (what) {
      case "start": start(source, given); return null;
      case "done": return state.done;
      case "failed": return state.failed;
      case "syntax": return state.syntax === true;
      case "logs": return apply(join, logs, ["\n"]);
      default: return state.text;
    }
  };
})()
