// SignalWire's client for Node (@signalwire/compatibility-api) against the simulator. It speaks HTTPS
// only, so the simulator has a certificate, which NODE_EXTRA_CA_CERTS makes known.
"use strict";
const { RestClient } = require("@signalwire/compatibility-api");
const { assert, errand, facts, main, refused } = require("./errands.cjs");

const { project_id: project, api_token: token } = facts.credentials;
const own = facts.number;
const other = "+12025550143";
const space = { signalwireSpaceUrl: new URL(facts.origin).host };

main(async () => {
  const client = RestClient(project, token, space);

  const listed = await errand("list calls, by pages of two", () =>
    client.calls.list({ limit: 3, pageSize: 2 }),
  );
  assert.equal(listed.length, 3);
  assert.ok(listed[0].dateCreated instanceof Date);
  const call = await errand("create a call", () =>
    client.calls.create({ from: own, to: other, url: "https://example.com/voice" }),
  );
  assert.deepEqual([call.from, call.to, call.accountSid], [own, other, project]);
  const fetched = await errand("get a call", () => client.calls(call.sid).fetch());
  assert.equal(fetched.sid, call.sid);
  const ended = await errand("update a call", () =>
    client.calls(call.sid).update({ status: "canceled" }),
  );
  assert.equal(ended.status, "canceled");
  assert.equal(await errand("delete a call", () => client.calls(call.sid).remove()), true);
  const gone = await refused("get a deleted call", () => client.calls(call.sid).fetch());
  assert.deepEqual([gone.status, gone.code], [404, 20404]);

  const message = await errand("send a message", () =>
    client.messages.create({ from: own, to: other, body: "Good morning" }),
  );
  assert.equal(message.body, "Good morning");
  const read = await errand("get a message", () => client.messages(message.sid).fetch());
  assert.equal(read.direction, "outbound-api");
  const messages = await errand("list messages", () => client.messages.list({ limit: 2 }));
  assert.equal(messages[0].sid, message.sid);
  const wrong = await refused("send to no number", () =>
    client.messages.create({ from: own, to: "nonsense", body: "x" }),
  );
  assert.deepEqual([wrong.status, wrong.code], [422, 21211]);

  const recordings = await errand("list recordings", () => client.recordings.list({ limit: 2 }));
  assert.ok(recordings.length > 0);
  const application = await errand("create an application", () =>
    client.applications.create({ friendlyName: "Reception" }),
  );
  const applications = await errand("list applications", () => client.applications.list());
  assert.ok(applications.some((each) => each.sid === application.sid));
  const numbers = await errand("search numbers on sale", () =>
    client.availablePhoneNumbers("US").local.list({ areaCode: 206, limit: 2 }),
  );
  assert.match(numbers[0].phoneNumber, /^\+1206/);
  const fax = await errand("send a fax", () =>
    client.fax.faxes.create({ from: own, to: other, mediaUrl: "https://example.com/page.pdf" }),
  );
  const faxes = await errand("list faxes", () => client.fax.faxes.list());
  assert.ok(faxes.some((each) => each.sid === fax.sid));
  const account = await errand("get the project", () => client.api.accounts(project).fetch());
  assert.equal(account.sid, project);

  const stranger = RestClient(project, "PTwrong", space);
  const unknown = await refused("come with a wrong token", () => stranger.calls.list());
  assert.equal(unknown.status, 401);
});
