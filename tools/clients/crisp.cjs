// Crisp's client for Node (crisp-api) against the simulator.
"use strict";
const { Crisp } = require("crisp-api");
const { assert, errand, facts, main, refused } = require("./errands.cjs");

const { identifier, key, tier, website_id: website } = facts.credentials;

function client(secret) {
  const made = new Crisp();
  made.setRestHost(facts.origin);
  made.authenticateTier(tier, identifier, secret);
  return made.website;
}

main(async () => {
  const crisp = client(key);

  const site = await errand("get the website", () => crisp.getWebsite(website));
  assert.equal(site.website_id, website);
  const listed = await errand("list conversations", () => crisp.listConversations(website, 1));
  assert.ok(listed.length > 0);
  const { session_id: session } = await errand("create a conversation", () =>
    crisp.createNewConversation(website),
  );
  const sent = await errand("send a message", () =>
    crisp.sendMessageInConversation(website, session, {
      type: "text",
      from: "operator",
      origin: "chat",
      content: "Good morning",
    }),
  );
  const message = await errand("get a message", () =>
    crisp.getMessageInConversation(website, session, sent.fingerprint),
  );
  assert.equal(message.content, "Good morning");
  await errand("edit a message", () =>
    crisp.updateMessageInConversation(website, session, sent.fingerprint, "Good evening"),
  );
  const messages = await errand("list messages", () =>
    crisp.getMessagesInConversation(website, session),
  );
  assert.deepEqual(messages.map((each) => each.content), ["Good evening"]);
  await errand("update the details", () =>
    crisp.updateConversationMetas(website, session, { nickname: "Ada", email: "ada@example.com" }),
  );
  const metas = await errand("get the details", () =>
    crisp.getConversationMetas(website, session),
  );
  assert.equal(metas.nickname, "Ada");
  await errand("resolve", () => crisp.changeConversationState(website, session, "resolved"));
  const state = await errand("get the state", () =>
    crisp.getConversationState(website, session),
  );
  assert.equal(state.state, "resolved");

  const { people_id: person } = await errand("add a person", () =>
    crisp.addNewPeopleProfile(website, {
      email: "ada@example.com",
      person: { nickname: "Ada" },
    }),
  );
  const twice = await refused("add a person twice", () =>
    crisp.addNewPeopleProfile(website, { email: "ada@example.com", person: { nickname: "A" } }),
  );
  assert.deepEqual([twice.code, twice.message], [409, "people_exists"]);
  await errand("update a person", () =>
    crisp.updatePeopleProfile(website, person, { person: { nickname: "Countess" } }),
  );
  const profile = await errand("get a person", () => crisp.getPeopleProfile(website, person));
  assert.equal(profile.person.nickname, "Countess");
  const people = await errand("list people", () => crisp.listPeopleProfiles(website, 1));
  assert.ok(people.some((each) => each.people_id === person));
  await errand("remove a person", () => crisp.removePeopleProfile(website, person));
  const visitors = await errand("count visitors", () => crisp.countVisitors(website));
  assert.equal(typeof visitors.count, "number");
  await errand("remove the conversation", () => crisp.removeConversation(website, session));
  const gone = await refused("get a removed conversation", () =>
    crisp.getConversation(website, session),
  );
  assert.equal(gone.code, 404);
  const unknown = await refused("come with a wrong key", () =>
    client("0".repeat(64)).getWebsite(website),
  );
  assert.equal(unknown.code, 401);
});
