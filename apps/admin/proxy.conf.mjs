/** `ng serve` hands the API's addresses on to the server of `npm run dev`. */
const target = `http://127.0.0.1:${process.env['PORT'] ?? 3000}`;

export default { '/api': { target }, '/health': { target }, '/install.sh': { target } };
