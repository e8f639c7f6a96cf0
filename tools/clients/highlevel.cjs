// HighLevel's client for Node (@gohighlevel/api-client) against the simulator, in the version that it
// sends with everything, 2023-02-21.
"use strict";
const { HighLevel } = require("@gohighlevel/api-client");
const { assert, errand, facts, main, refused } = require("./errands.cjs");

const { token, location_id: locationId, ...app } = facts.credentials;
HighLevel.BASE_URL = facts.base_url;

main(async () => {
  const client = new HighLevel({ privateIntegrationToken: token, logLevel: "none" });
  const { contacts, calendars, opportunities, conversations } = client;

  const found = await errand("search contacts", () =>
    contacts.searchContactsAdvanced({ locationId, pageLimit: 3 }),
  );
  assert.equal(found.contacts.length, 3);
  const body = { locationId, firstName: "Ada", email: "ada@example.com", tags: ["vip"] };
  const { contact } = await errand("create a contact", () => contacts.createContact(body));
  const contactId = contact.id;
  const twice = await refused("create a contact twice", () => contacts.createContact(body));
  assert.equal(twice.statusCode, 400);
  await errand("update a contact", () =>
    contacts.updateContact({ contactId }, { lastName: "Lovelace" }),
  );
  const got = await errand("get a contact", () => contacts.getContact({ contactId }));
  assert.equal(got.contact.lastName, "Lovelace");
  const upserted = await errand("upsert a contact", () =>
    contacts.upsertContact({ locationId, email: "ada@example.com", city: "London" }),
  );
  assert.deepEqual([upserted.new, upserted.contact.id], [false, contactId]);
  const tags = await errand("add tags", () => contacts.addTags({ contactId }, { tags: ["b"] }));
  assert.deepEqual(tags.tags, ["vip", "b"]);
  const { note } = await errand("create a note", () =>
    contacts.createNote({ contactId }, { body: "Called back" }),
  );
  const notes = await errand("list notes", () => contacts.getAllNotes({ contactId }));
  assert.equal(notes.notes[0].id, note.id);
  const { task } = await errand("create a task", () =>
    contacts.createTask(
      { contactId },
      { title: "Call", dueDate: "2026-01-05T10:00:00Z", completed: false },
    ),
  );
  const ended = await errand("complete a task", () =>
    contacts.updateTaskCompleted({ contactId, taskId: task.id }, { completed: true }),
  );
  assert.equal(ended.task.completed, true);
  const known = await errand("list calendars", () => calendars.getCalendars({ locationId }));
  const appointment = await errand("create an appointment", () =>
    calendars.createAppointment({
      calendarId: known.calendars[0].id,
      locationId,
      contactId,
      startTime: "2026-01-05T10:00:00+00:00",
    }),
  );
  assert.equal(appointment.contactId, contactId);
  const sales = await errand("list pipelines", () => opportunities.getPipelines({ locationId }));
  const made = await errand("create an opportunity", () =>
    opportunities.createOpportunity({
      pipelineId: sales.pipelines[0].id,
      locationId,
      contactId,
      name: "Engine",
      status: "open",
    }),
  );
  assert.equal(made.opportunity.name, "Engine");
  const sent = await errand("send a message", () =>
    conversations.sendANewMessage({ type: "SMS", contactId, message: "Good morning" }),
  );
  assert.ok(sent.messageId);
  const wrong = await refused("create with an unknown field", () =>
    contacts.createContact({ locationId, nonsense: 1 }),
  );
  assert.equal(wrong.statusCode, 422);
  await errand("delete a contact", () => contacts.deleteContact({ contactId }));
  const gone = await refused("get a deleted contact", () => contacts.getContact({ contactId }));
  assert.equal(gone.statusCode, 404);

  const stranger = new HighLevel({ privateIntegrationToken: "pit-wrong", logLevel: "none" });
  const unknown = await refused("come with a wrong token", () =>
    stranger.contacts.getContact({ contactId }),
  );
  assert.equal(unknown.statusCode, 401);

  const oauth = new HighLevel({
    clientId: app.client_id,
    clientSecret: app.client_secret,
    logLevel: "none",
  });
  const tokens = await errand("exchange a code for tokens", () =>
    oauth.oauth.getAccessToken({
      client_id: app.client_id,
      client_secret: app.client_secret,
      grant_type: "authorization_code",
      code: facts.code,
      redirect_uri: facts.redirect_uri,
      user_type: "Location",
    }),
  );
  assert.ok(tokens.access_token);
  const renewed = await errand("renew a token", () =>
    oauth.oauth.refreshToken(
      tokens.refresh_token, app.client_id, app.client_secret, "refresh_token", "Location",
    ),
  );
  const visitor = new HighLevel({
    clientId: app.client_id,
    clientSecret: app.client_secret,
    locationAccessToken: renewed.access_token,
    logLevel: "none",
  });
  const again = await errand("search with the renewed token", () =>
    visitor.contacts.searchContactsAdvanced({ locationId, pageLimit: 1 }),
  );
  assert.equal(again.contacts.length, 1);
});
