module.exports = require('vendored');
