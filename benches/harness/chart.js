'use strict';
module.exports = { chart: () => '' };
