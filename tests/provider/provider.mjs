// A certified OpenID Connect provider, for tests: whoever signs in has the address that was typed,
// and any password. An address with "unverified" in it was not checked. What follows a # is who it is, if
// not the address.
//   node provider.mjs PORT CLIENT_ID CLIENT_SECRET REDIRECT_ADDRESS…
import Provider from "oidc-provider";

const [port, clientId, secret, ...redirects] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const find = (login) => {
  const [email] = login.split("#");
  const claims = { email, email_verified: !email.includes("unverified"), name: "Ana At Provider" };
  return { accountId: login, claims: async () => ({ sub: login, ...claims }) };
};

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: clientId,
      client_secret: secret,
      redirect_uris: redirects,
      subject_type: "pairwise",
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  subjectTypes: ["public", "pairwise"],
  pairwiseIdentifier: (_, login) => login.split("#")[1] || login,
  pkce: { required: () => true },
  findAccount: (_, id) => find(id),
});

provider.listen(Number(port), "127.0.0.1");
