import Hourglass

// A small autoencoder of built-in images, by the whole library. Each line tells the loss of an epoch.
let model = Autoencoder("small", input: ImageShape(16, 16, 1), likelihood: .squaredError) {
  Conv2D(8, kernel: 4, stride: 2, activation: .relu)  // 8 x 8 x 8
} latent: {
  Dense(16)
} decoder: {
  Dense(8 * 8 * 8, activation: .relu)
  Reshape(8, 8, 8)
  ConvTranspose2D(1, kernel: 4, stride: 2)  // 16 x 16 x 1
}
var images = Preparation()
images.limit = 512
let recipe = Recipe(model: model, data: DataSource(preparation: images), batchSize: 16, epochs: 8)
let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1))
_ = try trainer.run(observe: { event in
  if case .epoch(let metrics) = event { print("epoch \(metrics.epoch) \(metrics.loss)") }
})
let codes = try trainer.inference().encode([Float](repeating: 0.5, count: 16 * 16))
precondition(codes.count == 16)
